import { isIP } from 'node:net';

const loopbackNames: readonly string[] = ['localhost', '127.0.0.1', '::1'];

export function isLoopback(address: string): boolean {
  return loopbackNames.includes(address) || /^127\.\d+\.\d+\.\d+$/.test(address);
}

/** The name in a `Host` header or an origin, without port and brackets, in lower case. */
function nameOf(host: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host);
  return match?.[1]?.replace(/^\[|\]$/g, '').toLowerCase();
}

export interface HostPolicy {
  /** The address listened on. */
  readonly address: string;
  /** This machine's own name. */
  readonly hostname: string;
  /** Names that a proxy or a DNS server gives this machine. */
  readonly allowedHosts: readonly string[];
}

/**
 * Whether a `Host` header names this server. A foreign page whose name was made to resolve to this machine
 * (DNS rebinding) has its own name. An address literal cannot be rebound; on loopback only loopback addresses
 * count. The port is not compared, because a tunnel may change it.
 */
export function isOurHost(host: string | undefined, policy: HostPolicy): boolean {
  const name = host === undefined ? undefined : nameOf(host);
  if (name === undefined) return false;
  if (policy.allowedHosts.some((allowed) => allowed.toLowerCase() === name)) return true;
  if (isLoopback(name)) return true;
  if (isLoopback(policy.address)) return false;
  const hostname = policy.hostname.toLowerCase();
  return isIP(name) !== 0 || name === hostname || name === `${hostname}.local`;
}

/**
 * Whether a request comes from the dashboard itself or not from a page at all. Browsers state the origin of a
 * request; a program does not.
 */
export function isSameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  if (host === undefined || !/^https?:\/\//i.test(origin)) return false;
  return origin.replace(/^https?:\/\//i, '').toLowerCase() === host.toLowerCase();
}

/** The path of a request, without its query. */
export function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}
