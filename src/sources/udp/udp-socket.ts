import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { HoldfastError } from '../../core/errors.js';
import type { UdpOptions } from './udp-options.js';

/** Where to listen. */
export type UdpPlace = Pick<UdpOptions, 'address' | 'port' | 'family' | 'isGroup' | 'iface' | 'bufferBytes'>;

export type OnDatagram = (bytes: Buffer, from: RemoteInfo) => void;

/**
 * Opens, binds and joins; rejects with the system's error, or SOURCE_DISCONNECTED if the interface is
 * missing.
 */
export async function openUdpSocket(options: UdpPlace, onDatagram: OnDatagram): Promise<Socket> {
  const { address, port, family, isGroup, iface, bufferBytes } = options;
  // Several programs of a vehicle may listen to one group; an address has one listener.
  const socket = createSocket({ type: family, reuseAddr: isGroup, ipv6Only: family === 'udp6' });
  try {
    const scope = family === 'udp6' && iface !== undefined && isGroup ? `%${iface}` : '';
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      // Bound to the group itself, so that it does not receive other groups on the port.
      socket.bind({ address: `${address}${scope}`, port }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    // The kernel limits it to net.core.rmem_max.
    socket.setRecvBufferSize(bufferBytes);
    if (isGroup) {
      if (iface === undefined) socket.addMembership(address);
      else socket.addMembership(address, membershipOf(iface, family));
    }
    socket.on('message', onDatagram);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** How the system identifies the interface: by its IPv4 address, or as an IPv6 scope. */
export function membershipOf(iface: string, family: 'udp4' | 'udp6'): string {
  if (family === 'udp6') return `::%${iface}`;
  const address = networkInterfaces()[iface]?.find((one) => one.family === 'IPv4')?.address;
  if (address !== undefined) return address;
  throw new HoldfastError('SOURCE_DISCONNECTED', `network interface ${iface} is not there or has no address`);
}

/** Changes when an interface appears, vanishes or gets another address: then the group must be joined again. */
export function interfaceSignature(iface: string | undefined): string {
  const all = networkInterfaces();
  const chosen = iface === undefined ? all : { [iface]: all[iface] };
  return JSON.stringify(
    Object.entries(chosen).map(([name, addresses]) => [
      name,
      (addresses ?? []).map(({ address, scopeid }: { address: string; scopeid?: number }) => [
        address,
        scopeid,
      ]),
    ]),
  );
}
