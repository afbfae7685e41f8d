// The library entrance `holdfast/log`: the operational log of Holdfast for other programs. docs/logs.md has an example.
export { openLog, type LogOptions, type ProgramLog } from './open-log.js';
export type { LogFields, LogLevel } from '../core/logger.js';
export type { LogLine, LogStats } from '../core/monitoring.js';
export {
  HoldfastError,
  isHoldfastError,
  type ErrorFacts,
  type HoldfastErrorOptions,
} from '../core/errors.js';
export { errorCatalogue, type CatalogueEntry, type ErrorCode } from '../core/error-catalogue.js';
