import { join } from 'node:path';
import { NS_PER_MS } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import { SEGMENT_ENDS } from '../core/manifest.js';
import type { StoreAnswer, StoreReceipt } from '../core/receipt-file.js';
import { isAborted } from '../core/is-aborted.js';
import { present } from '../core/present.js';
import { askForEncrypted, askForMarked, askForRecorded } from './ask-store.js';
import { deletedInStore } from './deleted-in-store.js';
import { WakeUp } from './wake-up.js';
import type { Confirmer } from './confirmer.js';
import { StoreTrouble } from './store-calls.js';
import type { StoreLoopParts, SyncParts } from './sync-parts.js';

type Parts = StoreLoopParts & Pick<SyncParts, 'lost'>;

const HOUR_MS = 3_600_000;
/** While scrubbing is off, the option is checked this often, ms. */
const OFF_MS = 60_000;

/**
 * Asks the store for what it should hold, one segment at a time, at a bounded rate. These are the local
 * segments, and the evicted ones that still have a receipt. A missing object with a local copy is sent again;
 * one without a copy raises an alarm. The recorded answers show where an earlier process stopped: the segment
 * asked about last comes last.
 */
export class Scrub {
  readonly #parts: Parts;
  readonly #confirmer: Confirmer;
  readonly #wakeUp = new WakeUp();

  constructor(parts: Parts, confirmer: Confirmer) {
    this.#parts = parts;
    this.#confirmer = confirmer;
  }

  /** The rate was changed. */
  wake(): void {
    this.#wakeUp.notify();
  }

  async run(): Promise<void> {
    const { lifetime } = this.#parts;
    while (!lifetime.aborted) {
      await this.#rest();
      const names = await this.#due();
      for (const name of names) {
        if (isAborted(lifetime) || this.#intervalMs === undefined) break;
        if (await this.#isIdle()) await this.#scrub(name);
        await this.#rest();
      }
    }
  }

  get #intervalMs(): number | undefined {
    const { scrubPerHour } = this.#parts.options;
    return scrubPerHour === 0 ? undefined : HOUR_MS / scrubPerHour;
  }

  #rest(): Promise<void> {
    const { clock, lifetime } = this.#parts;
    return this.#wakeUp.wait(clock, this.#intervalMs ?? OFF_MS, lifetime);
  }

  /** Scrubbing never competes with uploads, and waits as they do: it may read segments back. */
  #isIdle(): Promise<boolean> {
    const { gate, link, isTableValid, table } = this.#parts;
    const isIdle = link.state === 'online' && isTableValid() && table.unfinished === 0;
    return Promise.resolve(isIdle && gate.reason === undefined);
  }

  /** Segments not asked about within the time of one round over all, the least recent first. */
  async #due(): Promise<string[]> {
    const { receipts, identity, clock } = this.#parts;
    const { storeId } = identity;
    const intervalMs = this.#intervalMs;
    if (storeId === undefined || intervalMs === undefined) return [];
    const names = [...(await receipts.list())];
    const roundNs = BigInt(Math.round(names.length * intervalMs)) * NS_PER_MS;
    const since = clock.now() - roundNs;
    const due: { readonly name: string; readonly at: bigint }[] = [];
    for (const name of names) {
      const receipt = await receipts.read(name, storeId);
      const at = /^\d+$/.test(receipt?.asked?.askedAt ?? '')
        ? BigInt(present(present(receipt).asked).askedAt)
        : 0n;
      if (receipt && at <= since) due.push({ name, at });
    }
    return due.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ name }) => name);
  }

  async #scrub(name: string): Promise<void> {
    const { lifetime, counters, table, lost } = this.#parts;
    try {
      const isHere = table.get(name) !== undefined;
      const answer = isHere
        ? await this.#confirmer.confirm(name, undefined, lifetime)
        : await this.#askForEvicted(name);
      if (answer === 'held') await lost.delete(name);
    } catch (error) {
      if (isAborted(lifetime) || error instanceof StoreTrouble) return;
      counters.noteError(`${name} cannot be asked for: ${describeError(error)}`);
    }
  }

  async #askForEvicted(name: string): Promise<StoreAnswer['answer'] | 'unasked'> {
    const { receipts, identity, lifetime, fs, folder, sink } = this.#parts;
    const { storeId } = identity;
    const receipt = storeId === undefined ? undefined : await receipts.read(name, storeId);
    if (!receipt?.asked) return 'unasked';
    const ports = this.#confirmer.askPorts();
    const { encrypted } = receipt;
    const asked = sink.deriver
      ? await askForMarked(ports, sink.deriver, receipt.asked, lifetime)
      : encrypted
        ? await askForEncrypted(ports, { encrypted, asked: receipt.asked }, lifetime)
        : await askForRecorded(ports, receipt.asked, lifetime);
    // Sealed or restored since.
    const files = SEGMENT_ENDS.map((end) => fs.stat(join(folder.sealed, name + end)).catch(() => undefined));
    const isBack = (await Promise.all(files)).some((stats) => stats !== undefined);
    if (isBack) return 'unasked';
    const robot = name.slice(name.indexOf('.') + 1);
    const segment = name.slice(0, name.indexOf('.'));
    await receipts.write(name, { segment, robot, receipt: { ...receipt, asked } });
    if (asked.answer === 'held' || (await this.#isDeleted(receipt.key))) return 'held';
    await this.#tellLost(name, { ...receipt, asked });
    return asked.answer;
  }

  /** A deletion on request is not a loss. */
  async #isDeleted(key: string): Promise<boolean> {
    const { sink, lifetime } = this.#parts;
    if (sink.deriver) return false;
    return (await deletedInStore(this.#confirmer.askPorts(), key, lifetime)) !== undefined;
  }

  async #tellLost(name: string, { key, uri, asked }: StoreReceipt & { asked: StoreAnswer }): Promise<void> {
    const { lost, logger, counters, changed, sink } = this.#parts;
    if (lost.has(name)) return;
    const { answer, storeId, askedAt: at } = asked;
    const what = answer === 'missing' ? 'no longer holds' : 'holds other bytes under';
    const made = sink.deriver ? ', or files that it lists' : '';
    const message =
      `the store ${uri} ${what} ${key}${made}, and the local copy was evicted: no copy of it is known. ` +
      'Put it back into the store, or acknowledge it with sync --acknowledge-lost';
    logger.error('a recorded segment is lost', { segment: name, key, answer });
    await lost.add({ name, storeId, key, at, message });
    counters.noteError(message);
    changed();
  }
}
