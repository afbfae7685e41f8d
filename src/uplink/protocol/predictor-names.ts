import type { PredictorName } from '../../core/predictor-name.js';

/** By their numbers in proto/holdfast/uplink.proto. */
export const predictorNames: readonly PredictorName[] = ['hold', 'smooth', 'linear'];
