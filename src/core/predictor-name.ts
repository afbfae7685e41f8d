/** How both ends of the uplink predict the next value of a field (docs/uplink.md). */
export type PredictorName = 'hold' | 'smooth' | 'linear';
