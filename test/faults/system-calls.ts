/** One system call of a traced process, on its files. */
export interface SystemCall {
  readonly name: string;
  /** The file of the descriptor, or the named paths in their order. */
  readonly paths: readonly string[];
  /** Returned bytes of a write. */
  readonly bytes: number;
  /** Lines of the trace at which the call began and ended: calls of several threads overlap. */
  readonly began: number;
  readonly ended: number;
}

/** Calls that write, sync or name files: what a crash can tear apart. */
export const TRACED =
  'write,writev,pwrite64,pwritev,fsync,fdatasync,ftruncate,rename,renameat,renameat2,link,linkat,unlink';

const LINE = /^(?<pid>\d+) +(?:(?<name>\w+)\((?<text>.*)|<\.\.\. \w+ resumed>(?<rest>.*))$/;

/** Reads the output of `strace -f -y -s 0 -o FILE`. Failed calls are left out. */
export function systemCalls(trace: string): readonly SystemCall[] {
  const begun = new Map<string, { name: string; text: string; began: number }>();
  const calls: SystemCall[] = [];
  for (const [at, line] of trace.split('\n').entries()) {
    const { pid = '', name, text = '', rest = '' } = LINE.exec(line)?.groups ?? {};
    const open = name === undefined ? begun.get(pid) : { name, text, began: at };
    if (open === undefined) continue;
    begun.delete(pid);
    const whole = name === undefined ? `${open.text} ${rest}` : text;
    if (whole.endsWith('<unfinished ...>')) begun.set(pid, open);
    else calls.push(...finished(open.name, whole, open.began, at));
  }
  return calls;
}

function finished(name: string, text: string, began: number, ended: number): readonly SystemCall[] {
  const result = Number(/= (-?\d+)(?: [A-Z].*)?$/.exec(text)?.[1] ?? -1);
  if (result < 0) return [];
  const named = /^(rename|link|unlink)/.test(name);
  const found = named ? text.matchAll(/"([^"]+)"/g) : text.matchAll(/^\d+<([^>]*)>/g);
  return [{ name, paths: [...found].map(([, path = '']) => path), bytes: result, began, ended }];
}

const isWrite = ({ name }: SystemCall): boolean => /write|ftruncate/.test(name);
const isSync = ({ name }: SystemCall): boolean => name === 'fsync' || name === 'fdatasync';

/** Whether a file had writes at a moment (a line of the trace) that no sync which began after them had ended. */
export function hasUnsyncedWrites(
  calls: readonly SystemCall[],
  isFile: (path: string) => boolean,
  moment: number,
): boolean {
  const before = calls.filter(({ paths, began }) => began < moment && isFile(paths[0] ?? ''));
  return before
    .filter(isWrite)
    .some(
      (write) =>
        !before.some(
          (sync) =>
            isSync(sync) &&
            sync.paths[0] === write.paths[0] &&
            sync.began > write.ended &&
            sync.ended < moment,
        ),
    );
}

/** Whether a sync of a folder lay wholly between two calls. */
export function wasSyncedBetween(
  calls: readonly SystemCall[],
  path: string,
  first: SystemCall,
  last: SystemCall,
): boolean {
  return calls.some(
    (call) => isSync(call) && call.paths[0] === path && call.began > first.ended && call.ended < last.began,
  );
}

/** Bytes written to the files that fit. */
export function bytesWritten(calls: readonly SystemCall[], isFile: (path: string) => boolean): number {
  return calls
    .filter((call) => call.name !== 'ftruncate' && isWrite(call) && isFile(call.paths[0] ?? ''))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}
