import type { BusCall } from './system-bus.js';

/** What NetworkManager says about one interface; absent: it does not know. */
export interface ManagedDevice {
  /** Empty: not wireless, or not connected. */
  readonly ssid: string;
  readonly metered?: boolean;
  readonly bitsPerS?: number;
}

export interface Bus {
  call(call: BusCall, signal: AbortSignal): Promise<readonly unknown[]>;
  close(): void;
}

const NAME = 'org.freedesktop.NetworkManager';
const ROOT = '/org/freedesktop/NetworkManager';
/** `NMDeviceType` of NetworkManager's D-Bus API. */
const TYPE_ETHERNET = 1;
const TYPE_WIFI = 2;
/** `NMMetered`: yes, no, and both as a guess; 0 is unknown. */
const METERED: readonly (boolean | undefined)[] = [undefined, true, false, true, false];

/** Asks NetworkManager about an interface. Rejects if it does not run, or does not know the interface. */
export async function askNetworkManager(bus: Bus, name: string, signal: AbortSignal): Promise<ManagedDevice> {
  const [path] = await bus.call(
    {
      ...{ destination: NAME, path: ROOT, interface: NAME, member: 'GetDeviceByIpIface' },
      ...{ signature: 's', body: [name] },
    },
    signal,
  );
  const device = String(path);
  const read = (of: string, part: string, property: string): Promise<unknown> =>
    readProperty(bus, { path: of, interface: `${NAME}.${part}`, property }, signal);
  const type = await read(device, 'Device', 'DeviceType');
  const metered = METERED[Number(await read(device, 'Device', 'Metered').catch(() => 0))];
  const known = metered === undefined ? {} : { metered };
  if (type === TYPE_ETHERNET) {
    const mbit = Number(await read(device, 'Device.Wired', 'Speed').catch(() => 0));
    return { ssid: '', ...known, ...(mbit > 0 ? { bitsPerS: mbit * 1e6 } : {}) };
  }
  if (type !== TYPE_WIFI) return { ssid: '', ...known };
  const point = String(await read(device, 'Device.Wireless', 'ActiveAccessPoint'));
  // The path "/" stands for no object.
  const ssid = point === '/' ? '' : textOf(await read(point, 'AccessPoint', 'Ssid'));
  const kbit = Number(await read(device, 'Device.Wireless', 'Bitrate').catch(() => 0));
  return { ssid, ...known, ...(kbit > 0 ? { bitsPerS: kbit * 1e3 } : {}) };
}

interface Property {
  readonly path: string;
  readonly interface: string;
  readonly property: string;
}

async function readProperty(
  bus: Bus,
  { path, property, ...of }: Property,
  signal: AbortSignal,
): Promise<unknown> {
  const [variant] = await bus.call(
    {
      ...{ destination: NAME, path, interface: 'org.freedesktop.DBus.Properties', member: 'Get' },
      ...{ signature: 'ss', body: [of.interface, property] },
    },
    signal,
  );
  // A variant is its signature and its values.
  return Array.isArray(variant) && Array.isArray(variant[1]) ? (variant[1] as unknown[])[0] : undefined;
}

/** An SSID is bytes; most are UTF-8. */
function textOf(bytes: unknown): string {
  return Buffer.isBuffer(bytes) || Array.isArray(bytes)
    ? Buffer.from(bytes as number[]).toString('utf8')
    : '';
}
