import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import {
  receiptFileName,
  receiptFiles,
  type SegmentReceipts,
  type StoreReceipt,
} from '../core/receipt-file.js';
import type { SerialQueue } from '../core/serial-queue.js';

export interface ReceiptPorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  /** Of the sink of these receipts. */
  readonly form: string;
  readonly uri: string;
  /** Shared by all writers of receipts in this folder: a file holds those of several sinks. */
  readonly turns: SerialQueue;
  readonly onTrouble: (message: string) => void;
}

interface NewReceipt {
  readonly segment: string;
  readonly robot: string;
  readonly receipt: StoreReceipt;
}

/**
 * The files in `receipts/`, which allow retention to delete a local copy. Sync writes them and never removes
 * them.
 */
export class Receipts {
  readonly #ports: ReceiptPorts;
  readonly #unwritten = new Map<string, NewReceipt>();

  constructor(ports: ReceiptPorts) {
    this.#ports = ports;
  }

  /** Receipts that are not written yet. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** Base names that have a receipt file, of any store. */
  async list(): Promise<Set<string>> {
    const names = await this.#ports.fs.readdir(this.#ports.folder.receipts).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#ports.onTrouble(`receipts cannot be listed: ${describeError(error)}`);
      }
      return [] as string[];
    });
    return new Set(names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5)));
  }

  /** The receipt of this store; `undefined` if it is missing or unreadable. */
  async read(name: string, storeId: string): Promise<StoreReceipt | undefined> {
    return (await this.#readAll(name))?.stores.find((receipt) => this.#isOurs(receipt, storeId));
  }

  /** Durable when this resolves, or kept for {@link retry}; never rejects. */
  async write(name: string, receipt: NewReceipt): Promise<void> {
    this.#unwritten.set(name, receipt);
    await this.#writeOne(name, receipt);
  }

  async retry(): Promise<void> {
    for (const [name, receipt] of [...this.#unwritten]) {
      if (!(await this.#writeOne(name, receipt))) return;
    }
  }

  // One at a time: two writers of one file would share its temporary name.
  #writeOne(name: string, receipt: NewReceipt): Promise<boolean> {
    return this.#ports.turns.run(() =>
      this.#unwritten.get(name) === receipt ? this.#writeNow(name, receipt) : Promise.resolve(true),
    );
  }

  #isOurs(receipt: StoreReceipt, storeId: string): boolean {
    const { form, uri } = this.#ports;
    // A copy of a store has the same id, but what was verified in the one may be missing in the other.
    return receipt.storeId === storeId && receipt.uri === uri && (receipt.form ?? '') === form;
  }

  async #writeNow(name: string, { segment, robot, receipt }: NewReceipt): Promise<boolean> {
    const { fs, folder } = this.#ports;
    try {
      const others = (await this.#readAll(name))?.stores.filter(
        (other) => !this.#isOurs(other, receipt.storeId),
      );
      const content: SegmentReceipts = { version: 1, segment, robot, stores: [...(others ?? []), receipt] };
      await makeDirectoryDurably(fs, folder.receipts);
      await writeFileDurably(fs, this.#path(name), `${JSON.stringify(content, null, 1)}\n`);
    } catch (error) {
      this.#ports.onTrouble(
        `receipt of ${name} cannot be written, the local copy stays meanwhile: ${describeError(error)}`,
      );
      return false;
    }
    if (this.#unwritten.get(name)?.receipt === receipt) this.#unwritten.delete(name);
    return true;
  }

  async #readAll(name: string): Promise<SegmentReceipts | undefined> {
    try {
      const bytes = await readFileIfPresent(this.#ports.fs, this.#path(name));
      return receiptFiles.parseIfValid(bytes?.toString('utf8'));
    } catch {
      // Damaged: counts as missing. The store is asked, and the file is written again.
      return undefined;
    }
  }

  #path(name: string): string {
    return join(this.#ports.folder.receipts, receiptFileName(`${name}.mcap`));
  }
}
