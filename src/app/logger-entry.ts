// The library entrance `holdfast/logger`: logs of control programs, without waiting. docs/logger.md has examples.
export { VehicleLogger } from './logger/vehicle-logger.js';
export type { FleetStates, LocalState, TelemetrySample, VehicleName, VehiclePose } from './logger/samples.js';
export type { ChannelFields, LogChannel, SampleOf } from './logger/log-channel.js';
export type { CsvLimits, VehicleLoggerOptions, WalPlace } from './logger/logger-options.js';
export type { CsvStats, LoggerStats, PlaceStats, QueueStats } from './logger/logger-stats.js';
export { HoldfastError, isHoldfastError } from '../core/errors.js';
