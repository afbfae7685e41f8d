import { HoldfastError, systemCode } from '../core/errors.js';
import { SerialQueue } from '../core/serial-queue.js';
import { readTagFile, writeTagFile } from '../core/tag-file.js';
import { changedTags, isTag, TAG_FORM, TAGS_MAX, type TagChanges, type Tags } from '../core/tags.js';
import { jsonText } from '../core/json-text.js';
import type { SystemPorts } from '../host/ports.js';

/** The tags of a data folder. They survive restarts; a tag whose configuration has changed since takes that. */
export class TagBook {
  #now: Tags;
  #configured: Tags;
  readonly #queue = new SerialQueue();
  readonly #root: string;
  readonly #fs: SystemPorts['fs'];
  /** Applies tags to the segments from now on. */
  readonly #apply: (tags: Tags) => Promise<void>;

  private constructor(
    root: string,
    { fs }: SystemPorts,
    now: Tags,
    configured: Tags,
    apply: (tags: Tags) => Promise<void>,
  ) {
    this.#root = root;
    this.#fs = fs;
    this.#now = now;
    this.#configured = configured;
    this.#apply = apply;
  }

  /** Reads the tags of earlier processes, and applies them with what the configuration has changed. */
  static async open(
    root: string,
    configured: Tags,
    ports: SystemPorts,
    apply: (tags: Tags) => Promise<void>,
  ): Promise<TagBook> {
    const stored = (await readTagFile(ports.fs, root)) ?? { now: {}, configured: {} };
    const tags = changedTags(stored.now, differences(stored.configured, configured));
    const book = new TagBook(root, ports, tags, configured, apply);
    await apply(tags);
    return book;
  }

  get now(): Tags {
    return this.#now;
  }

  /** Sets and removes tags; resolves with all of them once they are durable. Throws `REQUEST_INVALID`. */
  set(changes: TagChanges): Promise<Tags> {
    return this.#queue.run(() => this.#change(changes, this.#configured));
  }

  /** Takes over the tags of a changed configuration. */
  reconfigure(configured: Tags): Promise<Tags> {
    return this.#queue.run(() => this.#change(differences(this.#configured, configured), configured));
  }

  async #change(changes: TagChanges, configured: Tags): Promise<Tags> {
    const tags = checked(changedTags(this.#now, changes), changes);
    if (same(tags, this.#now) && same(configured, this.#configured)) return tags;
    try {
      await writeTagFile(this.#fs, this.#root, { now: tags, configured });
    } catch (cause) {
      const code = systemCode(cause);
      const isFull = code === 'ENOSPC' || code === 'EDQUOT';
      throw new HoldfastError(
        isFull ? 'DISK_FULL' : 'DATA_FOLDER_UNUSABLE',
        'the tags cannot be stored durably',
        { cause },
      );
    }
    const isOther = !same(tags, this.#now);
    this.#now = tags;
    this.#configured = configured;
    if (isOther) await this.#apply(tags);
    return tags;
  }
}

/** The changes from one set of tags to another. */
function differences(from: Tags, to: Tags): TagChanges {
  const removed = Object.keys(from).filter((name) => !Object.hasOwn(to, name));
  const set = Object.entries(to).filter(([name, value]) => from[name] !== value);
  return Object.fromEntries([...removed.map((name) => [name, ''] as const), ...set]);
}

function same(a: Tags, b: Tags): boolean {
  return Object.keys(differences(a, b)).length === 0;
}

/** Throws `REQUEST_INVALID` with the first wrong change, or if there are too many tags. */
function checked(tags: Tags, changes: TagChanges): Tags {
  for (const [name, value] of Object.entries(changes)) {
    if (isTag(name, value)) continue;
    const shown = String(jsonText({ [name]: value })).slice(0, 120);
    throw new HoldfastError('REQUEST_INVALID', `the tag ${shown} is not allowed; allowed: ${TAG_FORM}`);
  }
  const count = Object.keys(tags).length;
  if (count <= TAGS_MAX) return tags;
  throw new HoldfastError('REQUEST_INVALID', `there would be ${count} tags, allowed: at most ${TAGS_MAX}`);
}
