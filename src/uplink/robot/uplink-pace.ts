import type { EncoderPace } from '../protocol/telemetry-encoder.js';

/** Time between two ticks, nanoseconds: ten samples per second. */
export const TICK_NS = 100_000_000;

/** A changed value waits 200 ms at most; a heartbeat each second; every value each 30 s. */
export const defaultPace: EncoderPace = {
  flushTicks: 2,
  heartbeatTicks: 10,
  fullTicks: 300,
  requestTicks: 10,
};

/** What was sent live and is not confirmed after so many ticks goes by the outbox. */
export const CONFIRM_TICKS = 100;
/** Time between two batches of the outbox, milliseconds. */
export const OUTBOX_PACE_MS = 100;
