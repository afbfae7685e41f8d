import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import { CONFIRM_FILE, CONFIRM_NAMES_MAX, writeConfirmationRequest } from '../core/confirmation.js';
import type { DataFolder } from '../core/data-folder.js';
import { describeError } from '../core/errors.js';
import type { OpenRequest } from '../core/eviction.js';
import type { FileSystem } from '../core/file-system.js';
import { randomHex, type RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';

/** How long to wait for an answer after the request, and after each answer. */
export const PATIENCE_MS = 5_000;
/** A request without an answer for this long is repeated. */
const LIFE_NS = 60_000_000_000n;

export interface ConfirmationPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly folder: DataFolder;
  /** Default: {@link PATIENCE_MS}. 0: use the recorded answers. */
  readonly patienceMs?: number | undefined;
}

interface Asked {
  readonly nonce: string;
  readonly names: ReadonlySet<string>;
  readonly answered: Set<string>;
  /** Time of the request or its last answer, monotonic nanoseconds. */
  newsAt: bigint;
}

/**
 * The recorder's questions to sync about the segments to be evicted next, one request at a time. If sync is
 * dead or its store offline, no answer arrives: after {@link PATIENCE_MS} the recorded answers are used.
 */
export class ConfirmationRequests {
  readonly #ports: ConfirmationPorts;
  #asked: Asked | undefined;
  /** The last request got no answer: do not wait for the next ones. */
  #isSilent = false;

  constructor(ports: ConfirmationPorts) {
    this.#ports = ports;
  }

  /** The request that covers this segment; undefined if it is not requested yet. */
  of(name: string): OpenRequest | undefined {
    const asked = this.#present();
    if (!asked?.names.has(name)) return undefined;
    return { nonce: asked.nonce, isWaiting: this.#isWaiting(asked) };
  }

  /** Answers to the present request may still arrive. */
  get isWaiting(): boolean {
    const asked = this.#present();
    return asked !== undefined && this.#isWaiting(asked);
  }

  /** An answer with this nonce is recorded for the segment. */
  noteAnswer(name: string, nonce: string): void {
    const asked = this.#asked;
    if (asked?.nonce !== nonce || asked.answered.has(name)) return;
    asked.answered.add(name);
    asked.newsAt = this.#ports.clock.monotonic();
    this.#isSilent = false;
  }

  /** Asks about these segments, unless answers to an earlier request are still pending. */
  async ask(names: readonly string[]): Promise<void> {
    const { fs, clock, random, logger, folder } = this.#ports;
    const before = this.#present();
    if (before && names.every((name) => before.names.has(name))) return;
    if (before && this.#isWaiting(before) && before.answered.size < before.names.size) return;
    if (this.#asked && this.#asked.answered.size === 0) this.#isSilent = true;
    const chosen = names.slice(0, CONFIRM_NAMES_MAX);
    const nonce = randomHex(random, 8);
    try {
      await writeConfirmationRequest(fs, join(folder.root, CONFIRM_FILE), { nonce, names: chosen });
    } catch (error) {
      // A full disk: use the recorded answers, as if sync were dead.
      this.#isSilent = true;
      logger.warn('cannot ask sync to confirm evictions', { error: describeError(error) });
    }
    this.#asked = { nonce, names: new Set(chosen), answered: new Set(), newsAt: clock.monotonic() };
  }

  #present(): Asked | undefined {
    const asked = this.#asked;
    return asked && this.#ports.clock.monotonic() - asked.newsAt < LIFE_NS ? asked : undefined;
  }

  #isWaiting({ newsAt }: Asked): boolean {
    const { clock, patienceMs = PATIENCE_MS } = this.#ports;
    return !this.#isSilent && clock.monotonic() - newsAt < BigInt(patienceMs) * 1_000_000n;
  }
}
