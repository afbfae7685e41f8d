import { isIP } from 'node:net';

const loopbackNames: readonly string[] = ['localhost', '127.0.0.1', '::1'];

export function isLoopback(address: string): boolean {
  return loopbackNames.includes(address) || /^127\.\d+\.\d+\.\d+$/.test(address);
}

/** The name of a `Host` header or of an origin, without port and brackets, in lower case. */
function nameOf(host: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host);
  return match?.[1]?.replace(/^\[|\]$/g, '').toLowerCase();
}

export interface HostPolicy {
  /** The address listened on. */
  readonly address: string;
  /** This machine's own name. */
  readonly hostname: string;
  /** Names a proxy or a DNS server gives us. */
  readonly allowedHosts: readonly string[];
}

/**
 * Whether a `Host` header names us. A page of a stranger whose name was made to resolve to us (DNS
 * rebinding) names itself. An address literal cannot be rebound; on loopback only loopback is us. The port
 * is not compared: a tunnel may have changed it.
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
 * Whether a request comes from our own page or from no page at all. Browsers say where a request comes
 * from; a program does not.
 */
export function isSameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  if (host === undefined || !/^https?:\/\//i.test(origin)) return false;
  return origin.replace(/^https?:\/\//i, '').toLowerCase() === host.toLowerCase();
}
