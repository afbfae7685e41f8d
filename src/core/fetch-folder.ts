import { join } from 'node:path';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from './durable-files.js';
import { isHoldfastError } from './errors.js';
import {
  ANSWER_DOCUMENT_MAX_BYTES,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  type FetchAnswer,
  type FetchRequest,
} from './fetch-request.js';
import type { FileSystem } from './file-system.js';

/*
 * Requests that reached the robot itself lie in its data folder. The recorder has the uplink and writes the
 * requests; sync is another process and answers them. Both may restart at any time.
 *
 *     requests/<id>.json              the request; written and removed by the recorder
 *     requests/<id>.<place>.answer    what sync of one store says about it; replaced by sync as it proceeds
 */

/** Maximum number of requests that sync takes from the folder. */
export const FOLDER_REQUESTS_MAX = 256;

const REQUEST = /^([0-9a-f]{32})\.json$/;
const ANSWER = /^([0-9a-f]{32})\.([0-9a-f]{16})\.answer$/;

/** An answer, and the store whose sync gave it: 16 hex digits. */
export interface PlacedAnswer {
  readonly place: string;
  readonly answer: FetchAnswer;
}

/** The folder of requests of one data folder. */
export class FetchFolder {
  readonly #fs: FileSystem;
  readonly #path: string;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** Every usable request; others are left out. Rejects if the folder cannot be read. */
  async requests(): Promise<readonly FetchRequest[]> {
    const found: FetchRequest[] = [];
    for (const name of await this.#names()) {
      const id = REQUEST.exec(name)?.[1];
      if (id === undefined || found.length >= FOLDER_REQUESTS_MAX) continue;
      const request = await this.#read(name, decodeRequest);
      if (request?.id === id) found.push(request);
    }
    return found;
  }

  /** Makes these the only requests to a robot, durably. Answers to others go with them. */
  async replace(robot: string, requests: readonly FetchRequest[]): Promise<void> {
    const wanted = new Set(requests.map(({ id }) => id));
    const names = await this.#names();
    const present = new Set(names);
    for (const name of names) {
      const id = REQUEST.exec(name)?.[1];
      if (id === undefined || wanted.has(id)) continue;
      const request = await this.#read(name, decodeRequest);
      if (request !== undefined && request.robot !== robot) continue;
      await this.#fs.rm(join(this.#path, name), { force: true });
      present.delete(name);
    }
    // Also those that sync wrote when the request was already gone.
    for (const name of names) {
      const id = ANSWER.exec(name)?.[1];
      if (id === undefined || present.has(`${id}.json`)) continue;
      await this.#fs.rm(join(this.#path, name), { force: true });
    }
    const missing = requests.filter(({ id }) => !present.has(`${id}.json`));
    if (missing.length > 0) await makeDirectoryDurably(this.#fs, this.#path);
    for (const request of missing)
      await writeFileDurably(this.#fs, join(this.#path, `${request.id}.json`), encodeRequest(request));
  }

  /** What is known about the requests to a robot; unusable answers are left out. */
  async answers(robot: string): Promise<readonly PlacedAnswer[]> {
    const found: PlacedAnswer[] = [];
    for (const name of await this.#names()) {
      const [, id, place] = ANSWER.exec(name) ?? [];
      if (id === undefined || place === undefined) continue;
      const answer = await this.#read(name, decodeAnswer);
      if (answer?.id === id && answer.robot === robot) found.push({ place, answer });
    }
    return found;
  }

  /** Undefined: this place has not answered yet. */
  answer(id: string, place: string): Promise<FetchAnswer | undefined> {
    return this.#read(`${id}.${place}.answer`, decodeAnswer);
  }

  /** Writes an answer durably. Rejects with the error of the file system. */
  async write(place: string, answer: FetchAnswer): Promise<void> {
    await writeFileDurably(this.#fs, join(this.#path, `${answer.id}.${place}.answer`), encodeAnswer(answer));
  }

  /** A folder that does not exist is empty. */
  async #names(): Promise<string[]> {
    try {
      return await this.#fs.readdir(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  async #read<T>(name: string, decode: (text: string, name: string) => T): Promise<T | undefined> {
    const data = await readFileIfPresent(this.#fs, join(this.#path, name));
    if (data === undefined || data.length > ANSWER_DOCUMENT_MAX_BYTES) return undefined;
    try {
      return decode(data.toString('utf8'), name);
    } catch (error) {
      if (isHoldfastError(error, 'MANIFEST_INVALID')) return undefined;
      throw error;
    }
  }
}
