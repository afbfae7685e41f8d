// The library entrance `holdfast/export`: recordings as files for data work. docs/export.md has an example.
export {
  exportRecording,
  type ExportProgress,
  type ExportResult,
  type ExportSettings,
} from './export-recording.js';
export type {
  ExportedColumn,
  ExportedRange,
  ExportedTopic,
  ExportManifest,
  ExportSoftware,
  ExportSource,
} from './export-manifest.js';
export type { ExportFormat } from './export-options.js';
export type { WrittenFile } from './output-place.js';
export { tableFormats, type TableFormat } from '../../exporters/format.js';
export { gapReasons, type Gap, type GapJson, type GapReason } from '../../core/gap.js';
export type { ExportedFile } from './table-file.js';
export type { Problem } from '../../recordings/segments.js';
export {
  HoldfastError,
  isHoldfastError,
  type ErrorFacts,
  type HoldfastErrorOptions,
} from '../../core/errors.js';
export { errorCatalogue, type CatalogueEntry, type ErrorCode } from '../../core/error-catalogue.js';
