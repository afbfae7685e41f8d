import { readdirSync, readFileSync } from 'node:fs';
import { cpuSeconds } from '../measure.js';

/** Use of a process and everything that it has started. */
export interface TreeUse {
  /** User and system time, seconds. */
  readonly cpuS: number;
  /** Its share of memory: pages that n processes share count as one n-th. */
  readonly memoryMb: number;
}

/** Numbers of a process and of all that descend from it. */
function treeOf(root: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = readProc(`/proc/${pid}/stat`);
    parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const found = [root];
  for (let i = 0; i < found.length; i++)
    for (const [pid, parent] of parents) if (parent === found[i]) found.push(pid);
  return found;
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
}

function useOf(pids: readonly number[]): TreeUse {
  let [cpuS, kilobytes] = [0, 0];
  for (const pid of pids) {
    kilobytes += Number(/^Pss:\s+(\d+)/m.exec(readProc(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
    if (readProc(`/proc/${pid}/stat`) !== '') cpuS += cpuSeconds(pid);
  }
  return { cpuS, memoryMb: (kilobytes * 1024) / 1e6 };
}

/** A service and its database: the process itself, and what it has started. */
export function measureService(pid: number): { readonly service: TreeUse; readonly database: TreeUse } {
  const [own, ...children] = treeOf(pid);
  return { service: useOf(own === undefined ? [] : [own]), database: useOf(children) };
}
