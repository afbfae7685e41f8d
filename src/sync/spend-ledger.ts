import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { documentKind } from '../core/documents/document.js';
import { spentSchema } from '../core/documents/folder-schemas.js';
import { readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { addSpend, spentOn, type DaySpend } from '../core/send-policy/day-spend.js';
import type { SerialQueue } from '../core/serial-queue.js';

/** Name inside the data folder. */
export const SPENT_FILE = 'spent.json';

interface SinkSpend {
  /** '' for the sealed file itself, otherwise the name of the derivation. */
  readonly form: string;
  readonly uri: string;
  readonly days: readonly DaySpend[];
}

interface SpentFile {
  readonly version: 1;
  readonly sinks: readonly SinkSpend[];
}

const SINKS_MAX = 100;

/** Schema of `spent.json`. */
export const spentFiles = documentKind<SpentFile>('bytes sent by day', spentSchema);

export interface SpendLedgerPorts {
  readonly fs: FileSystem;
  readonly folder: Pick<DataFolder, 'root'>;
  readonly sink: Pick<SinkSpend, 'form' | 'uri'>;
  /** Shared by all writers of files in the data folder. */
  readonly turns: SerialQueue;
  readonly onTrouble: (message: string) => void;
}

/**
 * What one sink sent on each day, for its budget. The file has a little more than was sent, so that a kill
 * never forgets a byte and not every part costs a write: it counts at most the slack too much.
 */
export class SpendLedger {
  readonly #ports: SpendLedgerPorts;
  #days: readonly DaySpend[] = [];
  /** What the file says of the day. */
  #promised: DaySpend | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(ports: SpendLedgerPorts) {
    this.#ports = ports;
  }

  /** Reads what earlier processes sent. A damaged file counts as none, and is reported. */
  async load(): Promise<void> {
    const { fs, folder, onTrouble } = this.#ports;
    try {
      const bytes = await readStateIfReadable(fs, join(folder.root, SPENT_FILE));
      if (!bytes) return;
      this.#days = spentFiles.parse(bytes.toString('utf8'), SPENT_FILE).sinks.find(this.#isOwn)?.days ?? [];
      this.#promised = this.#days.at(-1);
    } catch (error) {
      onTrouble(`the budget of the day starts again: ${describeError(error)}`);
    }
  }

  spentOn(day: string): number {
    return spentOn(this.#days, day);
  }

  /** Counts bytes that are about to be sent. */
  add(day: string, bytes: number): void {
    this.#days = addSpend(this.#days, day, bytes);
  }

  /** Resolves once the file covers what was sent on this day. Never rejects: a full disk stops no upload. */
  async cover(day: string, slackBytes: number): Promise<void> {
    const spent = this.spentOn(day);
    const isCovered = this.#promised?.day === day && this.#promised.bytes >= spent;
    if (!isCovered) this.#writing = this.#write({ day, bytes: spent + slackBytes });
    await this.#writing;
  }

  /** Writes the exact count. */
  async settle(): Promise<void> {
    const last = this.#days.at(-1);
    if (!last || this.#promised === undefined) return;
    if (this.#promised.day !== last.day || this.#promised.bytes !== last.bytes) await this.#write(last);
  }

  readonly #isOwn = ({ form, uri }: SinkSpend): boolean =>
    form === this.#ports.sink.form && uri === this.#ports.sink.uri;

  async #write(promised: DaySpend): Promise<void> {
    const { fs, folder, sink, turns, onTrouble } = this.#ports;
    const path = join(folder.root, SPENT_FILE);
    // Before the write: calls that come meanwhile wait for this one.
    this.#promised = promised;
    try {
      await turns.run(async () => {
        const known = spentFiles.parseIfValid((await readStateIfReadable(fs, path))?.toString('utf8'));
        const others = (known?.sinks ?? []).filter((one) => !this.#isOwn(one));
        const days = [...this.#days.filter(({ day }) => day !== promised.day), promised];
        const file: SpentFile = { version: 1, sinks: [...others, { ...sink, days }].slice(-SINKS_MAX) };
        await writeFileDurably(fs, path, `${JSON.stringify(file, null, 1)}\n`);
      });
    } catch (error) {
      this.#promised = undefined;
      onTrouble(`the bytes sent today cannot be written; a restart forgets them: ${describeError(error)}`);
    }
  }
}
