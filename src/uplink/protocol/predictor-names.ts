import type { PredictorName } from './field-spec.js';

/** By their numbers in proto/holdfast/uplink.proto. */
export const predictorNames: readonly PredictorName[] = ['hold', 'smooth', 'linear'];
