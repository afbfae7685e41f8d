// The library entrance `holdfast/logger`: logs of control programs, without waiting. docs/logger.md has examples.
export { VehicleLogger } from './vehicle-logger.js';
export type {
  FleetPose,
  FleetStates,
  LocalState,
  TelemetrySample,
  VehicleName,
  VehiclePose,
} from './samples.js';
export type { ChannelFields, LogChannel, SampleOf, ValueOf } from './log-channel.js';
export type { ScalarType } from '../core/ros/message-definition.js';
export { numberTypes, type NumberType } from '../core/ros/number-types.js';
export type { CsvLimits, VehicleLoggerOptions, WalPlace } from './logger-options.js';
export type { CsvStats, LoggerStats, PlaceStats, QueueStats, WorkerStats } from './logger-stats.js';
export type { CsvFileState, SinkState } from './logger-protocol.js';
export {
  HoldfastError,
  isHoldfastError,
  type ErrorFacts,
  type HoldfastErrorOptions,
} from '../core/errors.js';
export { errorCatalogue, type CatalogueEntry, type ErrorCode } from '../core/error-catalogue.js';
