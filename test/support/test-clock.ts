import { nextTurn } from '../../src/core/clock.js';
import { SimulatedClock } from './simulated-clock.js';

/** A simulated clock that begins in 2023. Its wall clock can be set, and a sleep lets the time pass at once. */
export class TestClock extends SimulatedClock {
  wall = 1_700_000_000_000_000_000n;

  override now(): bigint {
    return this.wall;
  }

  override monotonic(): bigint {
    return super.now();
  }

  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.pass(ms);
    await nextTurn(this);
    signal?.throwIfAborted();
  }

  override pass(ms: number): void {
    this.wall += BigInt(Math.round(ms * 1e6));
    super.pass(ms);
  }
}
