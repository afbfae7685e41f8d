import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, basename, join } from 'node:path';
import type { TraceEvent } from './trace.js';

/*
 * What a disk may hold after a power cut, given the calls made before it. Strict: only an fsync of the very
 * file makes its bytes durable, only an fsync of the directory (of both, for a rename between two) its
 * entries. What is not durable may be there, or not, or in part: bytes by page of 4 KiB in any combination,
 * or cut off anywhere, or as zeros; entries up to any point of their order, or in any combination. A rename
 * is atomic.
 */

export const PAGE_BYTES = 4096;

interface Inode {
  /** Directory: what a running process sees. */
  readonly entries: Map<string, Inode> | undefined;
  readonly durableEntries: Map<string, Inode>;
  /** File: what a running process sees, and what is sure to survive. */
  bytes: Buffer;
  size: number;
  durable: Buffer;
  /** Since the last fsync. */
  pending: Change[];
}

interface Pending {
  readonly offset: number;
  readonly data: Buffer;
}

type Change = Pending | { readonly truncateTo: number };

interface NameChange {
  readonly add?: { readonly dir: Inode; readonly name: string; readonly inode: Inode };
  readonly remove?: { readonly dir: Inode; readonly name: string; readonly inode: Inode };
  /** Directories whose fsync it still waits for. */
  readonly unsynced: Set<Inode>;
}

/** How much of what was not durable survives. */
export type Survival = 'none' | 'all' | 'prefix' | 'subset' | 'zeros';

export interface CutChoice {
  readonly names: Exclude<Survival, 'zeros'>;
  readonly bytes: Survival;
  /** 0 to 1. */
  readonly random: () => number;
}

export class DiskModel {
  readonly #root = directory();
  readonly #byNumber = new Map<bigint, Inode>();
  #changes: NameChange[] = [];

  /** Applies one event of the trace. */
  apply(event: TraceEvent): void {
    switch (event.op) {
      case 'create':
      case 'mkdir': {
        // The folder that holds everything is taken to be there.
        const inode = event.path === '' ? this.#root : event.op === 'mkdir' ? directory() : file();
        this.#byNumber.set(event.inode, inode);
        if (event.path !== '') this.#change({ add: this.#at(event.path, inode) });
        break;
      }
      case 'write':
        this.#write(event.inode, event.offset, event.data);
        break;
      case 'truncate': {
        const inode = this.#number(event.inode);
        if (!inode) break;
        inode.bytes = sized(inode.bytes.subarray(0, inode.size), event.size);
        inode.size = event.size;
        inode.pending.push({ truncateTo: event.size });
        break;
      }
      case 'sync':
        this.#sync(event.inode);
        break;
      case 'rename': {
        const inode = this.#lookup(event.from);
        this.#change({ remove: this.#at(event.from, inode), add: this.#at(event.to, inode) });
        break;
      }
      case 'link':
        this.#change({ add: this.#at(event.to, this.#lookup(event.from)) });
        break;
      case 'unlink':
      case 'rmdir':
        this.#change({ remove: this.#at(event.path, this.#lookup(event.path)) });
        break;
      case 'mark':
        break;
    }
  }

  /** Writes one state a power cut at this moment may leave into a directory. */
  materialize(target: string, choice: CutChoice): void {
    const tree = new Map<Inode, Map<string, Inode>>();
    const entriesOf = (inode: Inode): Map<string, Inode> => {
      let entries = tree.get(inode);
      if (!entries) tree.set(inode, (entries = new Map(inode.durableEntries)));
      return entries;
    };
    for (const { add, remove } of this.#surviving(choice)) {
      if (remove) {
        const entries = entriesOf(remove.dir);
        // Its own creation may not have survived.
        if (entries.get(remove.name) !== remove.inode && add) continue;
        if (entries.get(remove.name) === remove.inode) entries.delete(remove.name);
      }
      if (add) entriesOf(add.dir).set(add.name, add.inode);
    }
    const placed = new Map<Inode, string>();
    const place = (inode: Inode, path: string): void => {
      const other = placed.get(inode);
      placed.set(inode, path);
      if (!inode.entries) {
        // Two names of one file.
        if (other === undefined) writeFileSync(path, surviving(inode, choice));
        else linkSync(other, path);
        return;
      }
      mkdirSync(path, { recursive: true });
      for (const [name, child] of entriesOf(inode)) place(child, join(path, name));
    };
    place(this.#root, target);
  }

  #surviving({ names, random }: CutChoice): NameChange[] {
    if (names === 'none') return [];
    if (names === 'all') return this.#changes;
    if (names === 'prefix') return this.#changes.slice(0, Math.floor(random() * (this.#changes.length + 1)));
    return this.#changes.filter(() => random() < 0.5);
  }

  #change(change: Omit<NameChange, 'unsynced'>): void {
    const { add, remove } = change;
    remove?.dir.entries?.delete(remove.name);
    add?.dir.entries?.set(add.name, add.inode);
    const dirs = [add?.dir, remove?.dir].filter((dir) => dir !== undefined);
    this.#changes.push({ ...change, unsynced: new Set(dirs) });
  }

  #write(number: bigint, offset: number, data: Buffer): void {
    const inode = this.#number(number);
    if (!inode) return;
    const end = offset + data.length;
    if (end > inode.bytes.length) inode.bytes = sized(inode.bytes.subarray(0, inode.size), end * 2);
    data.copy(inode.bytes, offset);
    inode.size = Math.max(inode.size, end);
    inode.pending.push({ offset, data });
  }

  #sync(number: bigint): void {
    const inode = this.#number(number);
    if (!inode) return;
    if (!inode.entries) {
      inode.durable = Buffer.from(inode.bytes.subarray(0, inode.size));
      inode.pending = [];
      return;
    }
    this.#changes = this.#changes.filter((change) => {
      change.unsynced.delete(inode);
      if (change.unsynced.size > 0) return true;
      const { add, remove } = change;
      if (remove) remove.dir.durableEntries.delete(remove.name);
      if (add) add.dir.durableEntries.set(add.name, add.inode);
      return false;
    });
  }

  #number(number: bigint): Inode | undefined {
    return this.#byNumber.get(number);
  }

  #at(path: string, inode: Inode): { dir: Inode; name: string; inode: Inode } {
    const parent = dirname(path);
    return { dir: parent === '.' ? this.#root : this.#lookup(parent), name: basename(path), inode };
  }

  #lookup(path: string): Inode {
    let inode: Inode | undefined = this.#root;
    for (const name of path.split('/').filter((one) => one !== '')) inode = inode?.entries?.get(name);
    if (!inode) throw new Error(`the trace is about ${path}, which the model does not have`);
    return inode;
  }
}

function directory(): Inode {
  return { ...file(), entries: new Map() };
}

function file(): Inode {
  const empty = Buffer.alloc(0);
  return {
    entries: undefined,
    durableEntries: new Map(),
    bytes: empty,
    size: 0,
    durable: empty,
    pending: [],
  };
}

function sized(bytes: Buffer, size: number): Buffer {
  const copy = Buffer.alloc(size);
  bytes.copy(copy, 0, 0, Math.min(bytes.length, size));
  return copy;
}

function surviving(inode: Inode, { bytes, random }: CutChoice): Buffer {
  if (bytes === 'none' || inode.pending.length === 0) return inode.durable;
  const all = inode.bytes.subarray(0, inode.size);
  if (bytes === 'all') return all;
  let content = inode.durable;
  const place = (offset: number, data: Buffer): void => {
    if (offset + data.length > content.length) content = sized(content, offset + data.length);
    else if (content === inode.durable) content = Buffer.from(content);
    data.copy(content, offset);
  };
  const pages = inode.pending.flatMap((one): Change[] => ('data' in one ? split(one) : [one]));
  const torn = Math.floor(random() * (pages.length + 1));
  for (const [index, page] of pages.entries()) {
    if ('truncateTo' in page) {
      content = sized(content, page.truncateTo);
      continue;
    }
    if (bytes === 'prefix') {
      if (index > torn) break;
      const cut = index === torn ? Math.floor(random() * page.data.length) : page.data.length;
      place(page.offset, page.data.subarray(0, cut));
    } else if (random() < 0.5) place(page.offset, page.data);
  }
  // Delayed allocation: the new size is there, the bytes are not.
  return bytes === 'zeros' && content.length < all.length ? sized(content, all.length) : content;
}

function split({ offset, data }: Pending): Pending[] {
  const pages: Pending[] = [];
  for (let at = 0; at < data.length;) {
    const end = Math.min(data.length, at + PAGE_BYTES - ((offset + at) % PAGE_BYTES));
    pages.push({ offset: offset + at, data: data.subarray(at, end) });
    at = end;
  }
  return pages;
}
