import type { Timers } from '../../core/clock.js';
import type { DurationHistogram } from '../../core/duration-histogram.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { loadNative } from './native-loader.js';
import { NativeReceiver } from './native-receiver.js';
import { RclnodejsReceiver } from './rclnodejs-receiver.js';
import type { Receiver } from './receiver.js';
import type { ReceiveMode } from './ros-options.js';
import type { RosSession } from './ros-session.js';

/** Beyond the payloads: their headers. */
const ARENA_SPARE_BYTES = 64 * 1024;

export interface ReceiverChoice {
  readonly mode: ReceiveMode;
  /** Payload bytes that the native receiver may hold. */
  readonly arenaBytes: number;
  /** From the publisher's time stamp to the receipt, for what the native receiver gets. */
  readonly latencies: DurationHistogram;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Called once instead of a warning per domain. */
  readonly onFallback: (reason: string) => void;
}

/**
 * The receiver of a session. With `auto` the native one where it is built and fits, otherwise that of rclnodejs.
 *
 * @throws HoldfastError With `native`, if it is not built or does not fit.
 */
export function openReceiver(session: RosSession, choice: ReceiverChoice): Receiver {
  const { mode, arenaBytes, latencies, timers, logger } = choice;
  if (mode !== 'rclnodejs') {
    try {
      const binding = loadNative(session.ros);
      return new NativeReceiver({
        ...{ binding, session, latencies, timers, logger },
        arenaBytes: arenaBytes + ARENA_SPARE_BYTES,
      });
    } catch (error) {
      if (mode === 'native') throw error;
      choice.onFallback(describeError(error));
    }
  }
  return new RclnodejsReceiver(session, timers, logger);
}
