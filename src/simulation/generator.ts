import type { Schema } from '../core/message.js';

/** A channel of the simulator; the recorder decides its robot. */
export interface SimChannel {
  readonly topic: string;
  readonly encoding: string;
  readonly schema: Schema;
  readonly metadata: Readonly<Record<string, string>>;
  readonly latched: boolean;
}

/** One message; the receiver owns `data`. */
export interface SimMessage {
  /** Index into {@link Generator.channels}. */
  readonly channel: number;
  /** Number of the message in its channel, from 1, without a hole. */
  readonly sequence: number;
  /** Nanoseconds since the Unix epoch. */
  readonly stamp: bigint;
  readonly data: Uint8Array;
}

/**
 * Produces messages in steps of simulated time. It has no clock: its caller decides how fast time passes, and
 * never holds more than the messages of one step.
 */
export interface Generator {
  readonly channels: readonly SimChannel[];
  /** Simulated time that has passed, microseconds. */
  readonly elapsedUs: number;
  /** Where the next step ends, microseconds. */
  readonly nextUs: number;
  /**
   * Advances one step and returns its messages in the order of their stamps. Every message is numbered, but
   * the bytes of a channel are only made if `wanted` allows it.
   */
  step(wanted?: (channel: number) => boolean): SimMessage[];
  /** Publishes the latched channels once more, as new messages, for a new listener. */
  republish(wanted?: (channel: number) => boolean): SimMessage[];
  /** Number of the last message produced in a channel; 0: none. */
  produced(channel: number): number;
  /** Stamps of the first and last message produced in a channel. */
  stamps(channel: number): { readonly first: bigint; readonly last: bigint } | undefined;
}
