import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One change of the file system, or a mark, in the order of the disk. */
export type TraceEvent =
  | { readonly op: 'create'; readonly inode: bigint; readonly path: string }
  | { readonly op: 'mkdir'; readonly inode: bigint; readonly path: string }
  | { readonly op: 'truncate'; readonly inode: bigint; readonly size: number }
  | { readonly op: 'write'; readonly inode: bigint; readonly offset: number; readonly data: Buffer }
  | { readonly op: 'sync'; readonly inode: bigint }
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  | { readonly op: 'link'; readonly from: string; readonly to: string }
  | { readonly op: 'unlink'; readonly path: string }
  | { readonly op: 'rmdir'; readonly path: string }
  | { readonly op: 'mark'; readonly text: string };

const HEAD_BYTES = 32;

/** Reads what shim.c has written. Paths become relative to `root`; the root itself is the empty path. */
export function readTrace(path: string, root: string): TraceEvent[] {
  const bytes = readFileSync(path);
  const events: TraceEvent[] = [];
  const relative = (absolute: string): string => absolute.slice(root.length + 1);
  for (let at = 0; at < bytes.length;) {
    const head = at;
    const word = (index: number): number => bytes.readUInt32LE(head + 4 * index);
    const inode = bytes.readBigUInt64LE(at + 16);
    const number = Number(bytes.readBigUInt64LE(at + 24));
    at += HEAD_BYTES;
    const take = (length: number): Buffer => bytes.subarray(at, (at += length));
    const one = take(word(1)).toString();
    const two = take(word(2)).toString();
    const data = take(word(3));
    events.push(eventOf(word(0), { inode, number, one: relative(one), two: relative(two), data }));
  }
  return events;
}

interface Fields {
  readonly inode: bigint;
  readonly number: number;
  readonly one: string;
  readonly two: string;
  readonly data: Buffer;
}

function eventOf(op: number, { inode, number, one, two, data }: Fields): TraceEvent {
  switch (op) {
    case 1:
      return { op: 'create', inode, path: one };
    case 2:
      return { op: 'truncate', inode, size: number };
    case 3:
      return { op: 'write', inode, offset: number, data };
    case 4:
      return { op: 'sync', inode };
    case 5:
      return { op: 'rename', from: one, to: two };
    case 6:
      return { op: 'unlink', path: one };
    case 7:
      return { op: 'mkdir', inode, path: one };
    case 8:
      return { op: 'rmdir', path: one };
    case 9:
      return { op: 'link', from: one, to: two };
    case 10:
      return { op: 'mark', text: data.toString() };
    default:
      throw new Error(`trace record of unknown kind ${op}`);
  }
}

let library: string | undefined;

/** Compiles the shim once per process; undefined where there is no C compiler or no LD_PRELOAD. */
export function shimLibrary(): string | undefined {
  if (library !== undefined || process.platform !== 'linux') return library;
  const source = fileURLToPath(import.meta.url)
    .replace(/([/\\])dist[/\\]test[/\\]/, '$1test$1')
    .replace(/trace\.[jt]s$/, 'shim.c');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-shim-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const target = join(folder, 'shim.so');
  for (const compiler of ['gcc', 'cc', 'clang']) {
    try {
      execFileSync(compiler, ['-O1', '-w', '-shared', '-fPIC', '-o', target, source, '-ldl', '-lpthread']);
      return (library = target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}
