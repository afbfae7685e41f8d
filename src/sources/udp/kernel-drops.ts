import type { FileSystem } from '../../core/file-system.js';

/** Columns of /proc/net/udp that the header does not name completely. */
const LOCAL_ADDRESS = 1;
const INODE = 9;
const DROPS = 12;

/**
 * Datagrams that the kernel dropped since the socket was opened, because its receive buffer was full;
 * undefined if the system does not report it (anything but Linux).
 */
export async function readKernelDrops(
  fs: FileSystem,
  port: number,
  family: 'udp4' | 'udp6',
): Promise<number | undefined> {
  try {
    const text = await fs.readFile(family === 'udp6' ? '/proc/net/udp6' : '/proc/net/udp', 'utf8');
    const sockets = readSockets(text, port);
    if (sockets.size === 0) return undefined;
    const own = sockets.size === 1 ? sockets : await ownAmong(sockets, fs);
    return own.size === 0 ? undefined : [...own.values()].reduce((sum, drops) => sum + drops, 0);
  } catch {
    return undefined;
  }
}

/** Drops by the inode of each socket bound to the port. */
export function readSockets(text: string, port: number): Map<number, number> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const found = new Map<number, number>();
  for (const line of text.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    const drops = Number(columns[DROPS]);
    if (columns[LOCAL_ADDRESS]?.endsWith(suffix) && Number.isSafeInteger(drops)) {
      found.set(Number(columns[INODE]), drops);
    }
  }
  return found;
}

/** Several processes may listen to one group on one port. */
async function ownAmong(sockets: ReadonlyMap<number, number>, fs: FileSystem): Promise<Map<number, number>> {
  const own = new Map<number, number>();
  for (const descriptor of await fs.readdir('/proc/self/fd')) {
    const stat = await fs.stat(`/proc/self/fd/${descriptor}`).catch(() => undefined);
    const drops = stat === undefined ? undefined : sockets.get(stat.ino);
    if (stat !== undefined && drops !== undefined) own.set(stat.ino, drops);
  }
  return own;
}
