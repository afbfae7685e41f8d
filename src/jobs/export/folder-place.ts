import { dirname, join } from 'node:path';
import {
  makeDirectoryDurably,
  readFileIfPresent,
  syncDirectory,
  writeFileDurably,
} from '../../core/durable-files.js';
import { describeError, HoldfastError, systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { WORK_FOLDER, type OutputPlace, type PlaceFile } from './output-place.js';
import { DigestedFile, guarded, UnfinishedFiles, UsedPaths } from './unfinished-files.js';
import type { PooledFile } from './write-handles.js';

/** An export into a folder. */
export class FolderPlace implements OutputPlace {
  readonly #made = new Map<string, Promise<void>>();
  readonly #used = new UsedPaths();
  readonly #unfinished: UnfinishedFiles;

  /** @param durable false: files that a power cut may take, since they are made again */
  constructor(
    readonly uri: string,
    readonly fs: FileSystem,
    readonly durable = true,
  ) {
    this.#unfinished = new UnfinishedFiles(fs);
  }

  async create(path: string): Promise<PlaceFile> {
    this.#used.add(path);
    const target = join(this.uri, path);
    const temporary = `${target}.tmp`;
    const file = await guarded(target, async () => {
      await this.#folder(dirname(target));
      return DigestedFile.create(temporary, this.#unfinished);
    });
    return {
      write: (bytes) => guarded(target, () => file.write(bytes)),
      finish: () =>
        guarded(target, async () => {
          await file.flush();
          if (this.durable) await file.file.sync();
          await file.close();
          await this.fs.rename(temporary, target);
          if (this.durable) await syncDirectory(this.fs, dirname(target));
          return { bytes: file.bytes, sha256: file.digest() };
        }),
      abort: async () => {
        this.#used.delete(path);
        await file.close().catch(() => undefined);
        await this.fs.rm(temporary, { force: true }).catch(() => undefined);
      },
    };
  }

  async put(path: string, data: string): Promise<void> {
    const target = join(this.uri, path);
    await guarded(target, async () => {
      await this.#folder(dirname(target));
      await writeFileDurably(this.fs, target, data);
    });
  }

  async get(path: string): Promise<string | undefined> {
    return (await readFileIfPresent(this.fs, join(this.uri, path)))?.toString('utf8');
  }

  async list(folder: string): Promise<string[]> {
    try {
      const names = (await this.fs.readdir(join(this.uri, folder))).sort();
      return names.filter((name) => !name.endsWith('.tmp')).map((name) => `${folder}/${name}`);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  async remove(path: string): Promise<void> {
    this.#used.delete(path);
    await this.fs.rm(join(this.uri, path), { recursive: true, force: true });
  }

  async isEmpty(): Promise<boolean> {
    try {
      const names = await this.fs.readdir(this.uri);
      return names.every((name) => name === WORK_FOLDER);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') return true;
      const message = `${this.uri} cannot be used: ${describeError(error)}`;
      throw new HoldfastError('OUTPUT_UNUSABLE', message, { cause: error, facts: { where: this.uri } });
    }
  }

  async openScratch(name: string): Promise<PooledFile> {
    const folder = join(this.uri, WORK_FOLDER, 'scratch');
    return guarded(folder, async () => {
      await this.#folder(folder);
      return this.#unfinished.handles.create(join(folder, name));
    });
  }

  #folder(path: string): Promise<void> {
    let made = this.#made.get(path);
    if (made === undefined) {
      made = this.#make(path);
      this.#made.set(path, made);
      made.catch(() => this.#made.delete(path));
    }
    return made;
  }

  async #make(path: string): Promise<void> {
    if (this.durable) await makeDirectoryDurably(this.fs, path);
    else await this.fs.mkdir(path, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fs
      .rm(join(this.uri, WORK_FOLDER, 'scratch'), { recursive: true, force: true })
      .catch(() => undefined);
  }
}
