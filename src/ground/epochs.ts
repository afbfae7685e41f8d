import { join } from 'node:path';
import { documentKind } from '../core/documents/document.js';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { Queries } from './database/database.js';

/** The last epoch of each robot. */
export interface Epochs {
  /** A number that no connection of the robot had before, larger than all of those. Durable when this resolves. */
  next(robot: string): Promise<number>;
  /** Of each robot the newest epoch that any process has given; robots without one are absent. */
  newest(robots: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** `epochs/<name>.json` in the ground's folder. */
interface LastEpoch {
  readonly format: 'holdfast-ground-epoch';
  readonly version: 1;
  readonly epoch: number;
}

const epochFiles = documentKind<LastEpoch>('last epoch', {
  type: 'object',
  required: ['format', 'version', 'epoch'],
  properties: {
    format: { const: 'holdfast-ground-epoch', description: 'holdfast-ground-epoch' },
    version: { const: 1, description: '1' },
    epoch: {
      type: 'integer',
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'a whole number from 1',
    },
  },
});

/** Epochs as files, for one process. */
export class EpochFiles implements Epochs {
  readonly #folder: string;
  readonly #fs: FileSystem;
  /** Of each robot, so that two connections never get the same epoch. */
  readonly #turns = new Map<string, Promise<number>>();

  /** @param folder - Created when it is first written. */
  constructor(folder: string, fs: FileSystem) {
    this.#folder = folder;
    this.#fs = fs;
  }

  next(robot: string): Promise<number> {
    const before = this.#turns.get(robot) ?? Promise.resolve(0);
    const turn = before.catch(() => 0).then(() => this.#raise(robot));
    this.#turns.set(robot, turn);
    const forget = (): void => {
      if (this.#turns.get(robot) === turn) this.#turns.delete(robot);
    };
    turn.then(forget, forget);
    return turn;
  }

  async newest(robots: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = await Promise.all(robots.map(async (robot) => [robot, await this.#last(robot)] as const));
    return new Map(found.filter(([, epoch]) => epoch > 0));
  }

  /** The names of the robots that have an epoch. */
  async robots(): Promise<readonly string[]> {
    const files = await this.#fs.readdir(this.#folder).catch(() => [] as string[]);
    return files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
  }

  async #last(robot: string): Promise<number> {
    const path = join(this.#folder, `${robot}.json`);
    const bytes = await readFileIfPresent(this.#fs, path);
    // A damaged file must not make epochs begin again: the error keeps the robot away until somebody looks.
    return bytes === undefined ? 0 : epochFiles.parse(bytes.toString('utf8'), path).epoch;
  }

  async #raise(robot: string): Promise<number> {
    const epoch = (await this.#last(robot)) + 1;
    const document: LastEpoch = { format: 'holdfast-ground-epoch', version: 1, epoch };
    await makeDirectoryDurably(this.#fs, this.#folder);
    await writeFileDurably(this.#fs, join(this.#folder, `${robot}.json`), `${JSON.stringify(document)}\n`);
    return epoch;
  }
}

/** Epochs in the ground's database, for any number of processes. */
export class EpochTable implements Epochs {
  readonly #queries: Queries;

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  async next(robot: string): Promise<number> {
    const [row] = await this.#queries.query<{ epoch: number }>(
      'INSERT INTO epochs AS e (robot, epoch) VALUES ($1, 1) ' +
        'ON CONFLICT (robot) DO UPDATE SET epoch = e.epoch + 1 RETURNING epoch',
      [robot],
    );
    return row?.epoch ?? 0;
  }

  async newest(robots: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#queries.query<{ robot: string; epoch: number }>(
      'SELECT robot, epoch FROM epochs WHERE robot = ANY($1::text[])',
      [[...robots]],
    );
    return new Map(rows.map(({ robot, epoch }) => [robot, epoch]));
  }

  /** Later epochs are larger than this one. */
  async atLeast(robot: string, epoch: number): Promise<void> {
    await this.#queries.query(
      'INSERT INTO epochs AS e (robot, epoch) VALUES ($1, $2) ' +
        'ON CONFLICT (robot) DO UPDATE SET epoch = greatest(e.epoch, excluded.epoch)',
      [robot, epoch],
    );
  }
}
