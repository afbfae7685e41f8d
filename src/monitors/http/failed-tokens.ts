import { isIPv6 } from 'node:net';
import { NS_PER_MS, type Clock } from '../../core/clock.js';
import { present } from '../../core/present.js';

const WINDOW_MS = 60_000;
/**
 * Wrong tokens of one address within the window; after that the address is refused, even with the right
 * token.
 */
export const FAILURES_MAX = 10;
const ADDRESSES_MAX = 1_000;

interface Failures {
  count: number;
  readonly sinceMs: number;
}

/** Slows down clients that guess tokens. Bounded: with too many addresses the oldest is forgotten. */
export class FailedTokens {
  readonly #failures = new Map<string, Failures>();

  /** Addresses remembered now. */
  get size(): number {
    return this.#failures.size;
  }

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(address: string): void {
    const key = groupOf(address);
    const found = this.#current(key);
    if (found) {
      found.count++;
      return;
    }
    this.#failures.set(key, { count: 1, sinceMs: this.#nowMs() });
    if (this.#failures.size > ADDRESSES_MAX)
      this.#failures.delete(present(this.#failures.keys().next().value));
  }

  /** Seconds until the address is accepted again; 0: now. */
  blockedForS(address: string): number {
    const found = this.#current(groupOf(address));
    if (!found || found.count < FAILURES_MAX) return 0;
    return Math.max(1, Math.ceil((found.sinceMs + WINDOW_MS - this.#nowMs()) / 1_000));
  }

  #current(key: string): Failures | undefined {
    const found = this.#failures.get(key);
    if (!found || this.#nowMs() - found.sinceMs < WINDOW_MS) return found;
    this.#failures.delete(key);
    return undefined;
  }

  #nowMs(): number {
    return Number(this.#clock.monotonic() / NS_PER_MS);
  }
}

/** The IPv6 network of one customer has 2^64 addresses: they count as one. */
function groupOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  return expand(plain).slice(0, 4).join(':');
}

function expand(address: string): string[] {
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return tail === undefined ? left : [...left, ...zeros, ...right];
}
