/**
 * The contract suites of this repository's adapters, for adapters outside it: `holdfast/testing`
 * (docs/testing-adapters.md). They need mocha's `describe` and `it`.
 */
export { storeContract, type ContractOptions, type StoreHarness } from './store-contract.js';
export {
  ENOUGH,
  sourceContract,
  type HopelessFixture,
  type SourceFactory,
  type SourceFixture,
} from './source-contract.js';
export { lacking, needs, type Lack, type Need } from './lacking.js';
export {
  HoldfastError,
  isHoldfastError,
  type ErrorFacts,
  type HoldfastErrorOptions,
} from '../core/errors.js';
export { errorCatalogue, type CatalogueEntry, type ErrorCode } from '../core/error-catalogue.js';
export type {
  ObjectDigest,
  ObjectInfo,
  CallOptions,
  Receipt,
  Store,
  StoreFindings,
  StoreLimits,
  StoreSupport,
  UnfinishedUpload,
  Upload,
  Verification,
  WholeFile,
} from '../core/store.js';
export type {
  Channel,
  Message,
  PayloadLease,
  Priority,
  QueuePolicy,
  QueueRule,
  Schema,
} from '../core/message.js';
export type {
  ChannelAppeared,
  ChannelGone,
  FlowControl,
  Numbering,
  Source,
  SourceAlert,
  SourceContext,
  SourceEvent,
  SourceGap,
  SourceRecord,
  SourceStateChanged,
  SourceStats,
  SourceSupport,
} from '../core/source.js';
export type { Clock, Timer, TimerOptions, Timers } from '../core/clock.js';
export type { DurationHistogramJson } from '../core/duration-histogram.js';
export { gapReasons, type Gap, type GapReason } from '../core/gap.js';
export type { Listen, Unlisten } from '../core/listen.js';
export type { OtherRecord } from '../core/other-record.js';
export type { Logger } from '../core/logger.js';
