import { KEEP_FREE_BYTES } from '../../jobs/query/temporary-export.js';
import { RemoteEngine } from '../../jobs/query/remote-engine.js';
import { spawnLimited } from '../../host/limited-process.js';
import { queryScript } from '../setup/main-script.js';
import type { FileSystem } from '../../core/file-system.js';

/** Memory of the SQL process beside DuckDB's own: Node.js, its libraries, and output buffers. */
export const QUERY_OVERHEAD_BYTES = 512 * 1024 * 1024;
const HEAP_BYTES = 256 * 1024 * 1024;

export interface QueryEngineLimits {
  readonly memoryLimitBytes: number;
  /** 0: none. */
  readonly timeoutMs: number;
  /** Where DuckDB puts data that does not fit in memory; it exists already. */
  readonly spillFolder: string;
  readonly signal: AbortSignal;
}

/** Starts the SQL process, with limits that the system enforces. */
export async function openQueryEngine(fs: FileSystem, limits: QueryEngineLimits): Promise<RemoteEngine> {
  const { memoryLimitBytes, timeoutMs, spillFolder, signal } = limits;
  const { bavail, bsize } = await fs.statfs(spillFolder);
  const spillMaxBytes = Math.max(0, bavail * bsize - KEEP_FREE_BYTES);
  const child = spawnLimited({
    script: queryScript,
    args: [String(memoryLimitBytes), spillFolder, String(spillMaxBytes)],
    dataMaxBytes: memoryLimitBytes + QUERY_OVERHEAD_BYTES,
    heapMaxBytes: HEAP_BYTES,
  });
  const never = new AbortController().signal;
  const deadline = (): AbortSignal => (timeoutMs === 0 ? never : AbortSignal.timeout(timeoutMs));
  return new RemoteEngine({ child, signal, memoryLimitBytes, deadline, timeoutMs });
}
