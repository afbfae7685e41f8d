import { join } from 'node:path';
import { CONFIRM_FILE, readConfirmationRequest } from '../core/confirmation.js';
import { describeError, isHoldfastError, systemCode } from '../core/errors.js';
import { decodeManifest, type Manifest } from '../core/manifest.js';
import { isReceiptFor, type StoreAnswer, type StoreReceipt } from '../core/receipt-file.js';
import {
  askForDerived,
  askForEncrypted,
  askForSegment,
  type AskedSegment,
  type AskPorts,
} from './ask-store.js';
import { publishedWith } from './digest-segment.js';
import { WakeUp } from './wake-up.js';
import { toBeLookedFor } from './progress-record.js';
import type { StoreLoopParts, SyncParts } from './sync-parts.js';
import { StoreTrouble } from './store-calls.js';

type Parts = StoreLoopParts & Pick<SyncParts, 'calls' | 'progress' | 'store'>;

/** Segments asked about at the same time: a distant store answers a request in a few round trips. */
const ASKED_AT_ONCE = 8;
/** Alarm text for a segment that the store confirmed earlier and does not hold now. */
export const LOST = 'OBJECT_MISSING';
const NONE: ReadonlySet<string> = new Set();

/** The result of a question. `unasked`: nothing to ask, such as a segment that is still being uploaded. */
export type Confirmation = StoreAnswer['answer'] | 'unasked';

/**
 * Answers the recorder's requests: asks the store for each named segment and records the answer in its
 * receipt. A segment that the store no longer holds is sent again.
 */
export class Confirmer {
  readonly #parts: Parts;
  readonly #onLost: () => void;
  readonly #wakeUp = new WakeUp();
  #answered: string | undefined;

  /** `onLost`: a segment must be sent again. */
  constructor(parts: Parts, onLost: () => void) {
    this.#parts = parts;
    this.#onLost = onLost;
  }

  async run(): Promise<void> {
    const { clock, lifetime } = this.#parts;
    while (!lifetime.aborted) {
      await this.#look();
      await this.#wakeUp.wait(clock, this.#parts.options.pollIntervalMs, lifetime);
    }
  }

  /** Asks for one local segment and records the answer. Throws the errors of the calls. */
  async confirm(name: string, request: string | undefined, signal: AbortSignal): Promise<Confirmation> {
    const { fs, folder, receipts, identity, table } = this.#parts;
    const { storeId } = identity;
    if (storeId === undefined || table.get(name)?.state !== 'verified') return 'unasked';
    const receipt = await receipts.read(name, storeId);
    if (!receipt) return 'unasked';
    let manifestBytes: Buffer;
    let manifest: Manifest;
    try {
      manifestBytes = await fs.readFile(join(folder.sealed, `${name}.json`));
      manifest = decodeManifest(manifestBytes.toString('utf8'), `sealed/${name}.json`);
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || isHoldfastError(error, 'MANIFEST_INVALID')) return 'unasked';
      throw error;
    }
    const published = publishedWith(manifest, manifestBytes, receipt.sha256);
    const segment = { ...published, key: receipt.key, request };
    const asked = await this.#ask(receipt, segment, signal);
    // The local file is the one in the receipt.
    const isSame = isReceiptFor(receipt, manifest.file);
    const answer = isSame ? asked.answer : 'differs';
    const { segment: id, robot } = manifest;
    await receipts.write(name, {
      segment: id.id,
      robot,
      receipt: { ...receipt, asked: { ...asked, answer } },
    });
    if (answer !== 'held') await this.#sendAgain(name, receipt.key, answer);
    return answer;
  }

  #ask({ encrypted, asked }: StoreReceipt, segment: AskedSegment, signal: AbortSignal): Promise<StoreAnswer> {
    const { deriver } = this.#parts.sink;
    const ports = this.askPorts();
    if (deriver) return askForDerived(ports, deriver, segment, NONE, signal);
    if (!encrypted || !asked) return askForSegment(ports, segment, signal);
    return askForEncrypted(ports, { encrypted, asked, request: segment.request }, signal);
  }

  async #look(): Promise<void> {
    const { fs, folder, link, isTableValid, lifetime, counters } = this.#parts;
    if (link.state !== 'online' || !isTableValid()) return;
    try {
      const request = await readConfirmationRequest(fs, join(folder.root, CONFIRM_FILE));
      if (!request || request.nonce === this.#answered) return;
      const { names, nonce } = request;
      for (let at = 0; at < names.length; at += ASKED_AT_ONCE) {
        const batch = names.slice(at, at + ASKED_AT_ONCE);
        await Promise.all(batch.map((name) => this.confirm(name, nonce, lifetime)));
      }
      this.#answered = nonce;
    } catch (error) {
      if (lifetime.aborted || error instanceof StoreTrouble) return;
      counters.noteError(`segments cannot be confirmed: ${describeError(error)}`);
    }
  }

  async #sendAgain(name: string, key: string, answer: StoreAnswer['answer']): Promise<void> {
    const { table, identity, progress, logger, counters, changed } = this.#parts;
    const entry = table.get(name);
    const what = answer === 'missing' ? 'no longer holds' : 'holds other bytes under';
    const message = `the store ${what} ${key}, which was verified; it is sent again`;
    logger.error('a verified segment is not in its store', { segment: name, key, answer });
    counters.noteError(message);
    if (entry?.state === 'verified') {
      entry.alarm = { code: LOST, message };
      entry.record = toBeLookedFor;
      if (identity.storeId !== undefined) {
        await progress.write(identity.storeId, name, toBeLookedFor, true);
      }
      table.move(entry, 'pending');
    }
    changed();
    this.#onLost();
  }

  /** What asking the store needs. */
  askPorts(): AskPorts {
    const { store, calls, clock, identity } = this.#parts;
    return {
      store,
      calls,
      clock,
      checkIdentity: () => identity.check(),
      storeId: () => identity.storeId,
    };
  }
}
