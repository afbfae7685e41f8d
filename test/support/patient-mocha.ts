import { Runnable, Suite } from 'mocha';

/** The least time limit of a test on an emulated processor, ms. */
const LEAST_MS = 15 * 60_000;

/**
 * A module for `mocha --require`: no time limit of a test, hook or suite is below {@link LEAST_MS}. An
 * emulator is ten to thirty times slower than what the limits in the tests are made for.
 */
for (const { prototype } of [Runnable, Suite] as const) {
  const original = Object.getOwnPropertyDescriptor(prototype, 'timeout')?.value as (ms?: unknown) => unknown;
  const patient = function (this: unknown, ...limit: unknown[]): unknown {
    if (limit.length === 0) return original.call(this);
    return original.call(this, Math.max(Number(limit[0]), LEAST_MS));
  };
  Object.defineProperty(prototype, 'timeout', { value: patient, configurable: true, writable: true });
}
