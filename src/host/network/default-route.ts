import type { FileSystem } from '../../core/file-system.js';

/** Flags of a route, from `linux/route.h`. */
const RTF_UP = 0x1;
const RTF_REJECT = 0x200;

interface Route {
  readonly name: string;
  readonly metric: number;
}

/**
 * The interface of the default route, from the kernel's tables in `/proc/net`: IPv4 first, the lowest metric.
 * Empty: no such route exists. Rejects if neither table can be read.
 */
export async function defaultInterface(fs: Pick<FileSystem, 'readFile'>, proc: string): Promise<string> {
  const [v4, v6] = await Promise.allSettled([
    fs.readFile(`${proc}/net/route`, 'utf8'),
    fs.readFile(`${proc}/net/ipv6_route`, 'utf8'),
  ]);
  if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason as Error;
  const routes4 = v4.status === 'fulfilled' ? v4.value.split('\n').slice(1).flatMap(routeV4) : [];
  const routes6 = v6.status === 'fulfilled' ? v6.value.split('\n').flatMap(routeV6) : [];
  return (lowest(routes4) ?? lowest(routes6))?.name ?? '';
}

function lowest(routes: readonly Route[]): Route | undefined {
  return routes.reduce<Route | undefined>((a, b) => (a && a.metric <= b.metric ? a : b), undefined);
}

const isUsable = (flags: string): boolean => (parseInt(flags, 16) & (RTF_UP | RTF_REJECT)) === RTF_UP;

/** `Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT`; addresses and flags in hex. */
function routeV4(line: string): Route[] {
  const [name = '', to, , flags = '', , , metric, mask] = line.trim().split(/\s+/);
  if (to !== '00000000' || mask !== '00000000' || !isUsable(flags)) return [];
  return [{ name, metric: Number(metric) }];
}

/** `destination length source length next-hop metric references use flags interface`; all numbers in hex. */
function routeV6(line: string): Route[] {
  const [to = '', length, , , , metric = '', , , flags = '', name = ''] = line.trim().split(/\s+/);
  if (!/^0{32}$/.test(to) || length !== '00' || name === 'lo' || !isUsable(flags)) return [];
  return [{ name, metric: parseInt(metric, 16) }];
}
