import { createHash } from 'node:crypto';
import { FetchFolder } from '../core/fetch-folder.js';
import { isFinal, requestKey } from '../core/fetch-request.js';
import { faultOf, openRequest, refusalOf, type OpenRequests } from './fetch-answer.js';
import type { SyncParts } from './sync-parts.js';

type Parts = Pick<SyncParts, 'clock' | 'folder' | 'fs' | 'logger' | 'sink' | 'store'>;

/** Their answers are brought up to date this often: the disk is near. */
const FOLDER_ANSWER_MS = 1_000;
const ORIGIN = 'folder';

/** Requests that came over the uplink: the recorder has written them into the data folder (`fetch-folder.ts`). */
export class FolderRequests {
  readonly #parts: Parts;
  readonly #open: OpenRequests;
  readonly #folder: FetchFolder;
  /** Names this engine in the files of answers. */
  readonly #place: string;
  readonly #settled = new Set<string>();

  /** @param open - Requests that are worked on, by id; those of the folder are added and removed here. */
  constructor(parts: Parts, open: OpenRequests) {
    this.#parts = parts;
    this.#open = open;
    this.#folder = new FetchFolder(parts.fs, parts.folder.requests);
    const { sink, store } = parts;
    this.#place = createHash('sha256').update(`${sink.name} ${store.uri}`).digest('hex').slice(0, 16);
  }

  /** Reads the folder. */
  async look(): Promise<void> {
    const requests = await this.#folder.requests();
    const present = new Set(requests.map(({ id }) => id));
    for (const id of this.#settled) if (!present.has(id)) this.#settled.delete(id);
    for (const [id, { origin }] of this.#open)
      if (origin === ORIGIN && !present.has(id)) this.#open.delete(id);
    for (const request of requests) {
      const { id, robot, from, to, by } = request;
      if (this.#open.has(id) || this.#settled.has(id)) continue;
      const earlier = await this.#folder.answer(id, this.#place);
      const fault = faultOf(request, requestKey(request));
      if (earlier !== undefined && isFinal(earlier)) this.#settled.add(id);
      else if (fault !== undefined) {
        await this.#folder.write(this.#place, refusalOf(request, this.#parts.clock.now(), fault));
        this.#settled.add(id);
      } else {
        this.#parts.logger.info('the ground requests segments', { id, robot, from, to, by });
        const one = openRequest(request, {
          ...{ origin: ORIGIN, everyMs: FOLDER_ANSWER_MS },
          write: (answer) => this.#folder.write(this.#place, answer),
          settle: () => Promise.resolve(void this.#settled.add(id)),
        });
        this.#open.set(id, one);
      }
    }
  }
}
