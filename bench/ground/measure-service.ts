import { readFileSync } from 'node:fs';
import { cpuSeconds } from '../measure.js';
import { treeOf } from '../process-tree.js';

/** Use of a process and everything that it has started. */
export interface TreeUse {
  /** User and system time, seconds. */
  readonly cpuS: number;
  /** Its share of memory: pages that n processes share count as one n-th. */
  readonly memoryMb: number;
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

/** One process without what it has started. */
export function measureProcess(pid: number): TreeUse {
  return useOf([pid]);
}
