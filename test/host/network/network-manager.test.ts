import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { unknownNetwork, type NetworkFacts } from '../../../src/core/send-policy/facts.js';
import { HostNetwork } from '../../../src/host/network/host-network.js';
import { SystemBus } from '../../../src/host/network/system-bus.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually } from '../../../src/testing/waiting.js';
import { noMockBecause, PYTHON } from '../../support/dbusmock.js';
import { endChild } from '../../support/end-child.js';

const never = new AbortController().signal;

/** Wi-Fi "Hall 2" on wlan0, not metered, 54 Mbit/s; eth0 without a network. */
const SETUP = `
import dbus, sys
bus = dbus.SystemBus()
if not bus.name_has_owner('org.freedesktop.NetworkManager'): sys.exit(3)
nm = dbus.Interface(bus.get_object('org.freedesktop.NetworkManager', '/org/freedesktop/NetworkManager'),
                    'org.freedesktop.DBus.Mock')
wlan = nm.AddWiFiDevice('wlan0', 'wlan0', 100)
point = nm.AddAccessPoint(wlan, 'ap', 'Hall 2', '00:11:22:33:44:55', 2, 2425, 54000, 82, 0x100)
device = bus.get_object('org.freedesktop.NetworkManager', wlan)
props = dbus.Interface(device, 'org.freedesktop.DBus.Mock')
wireless = 'org.freedesktop.NetworkManager.Device.Wireless'
props.AddProperty(wireless, 'ActiveAccessPoint', dbus.ObjectPath(point))
props.UpdateProperties(wireless, {'Bitrate': dbus.UInt32(54000)})
props.AddProperty('org.freedesktop.NetworkManager.Device', 'Metered', dbus.UInt32(2))
nm.AddEthernetDevice('eth0', 'eth0', 100)
`;

describe('what NetworkManager tells about the network', function () {
  this.timeout(60_000);
  let folder: string;
  let address: string;
  let daemon: ChildProcess | undefined;
  let manager: ChildProcess | undefined;
  let bus: SystemBus;
  let facts: NetworkFacts;

  before(function () {
    const reason = noMockBecause();
    if (reason !== undefined) lacking(this, 'dbusmock', reason);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-bus-'));
    address = `unix:path=${join(folder, 'bus')}`;
    facts = { ...unknownNetwork('the kernel does not tell'), interface: { value: 'wlan0' } };
    bus = new SystemBus(address);
  });
  afterEach(async () => {
    bus.close();
    for (const child of [manager, daemon]) await endChild(child);
    manager = daemon = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  const environment = (): NodeJS.ProcessEnv => ({
    PATH: process.env['PATH'],
    DBUS_SYSTEM_BUS_ADDRESS: address,
  });
  const read = (): Promise<NetworkFacts> =>
    new HostNetwork({ read: () => Promise.resolve(facts) }, bus, systemClock).read(never);

  async function startBus(): Promise<void> {
    daemon = spawn('dbus-daemon', ['--session', '--nofork', '--print-address', `--address=${address}`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(present(daemon.stdout), 'data');
  }
  async function startManager(): Promise<void> {
    const args = ['-m', 'dbusmock', '--system', '--template', 'networkmanager'];
    manager = spawn(PYTHON, args, { stdio: 'ignore', env: environment() });
    const setUp = { env: environment(), encoding: 'utf8' } as const;
    // Status 3: it has no name on the bus yet.
    const { status, stderr } = await eventually(() => {
      const tried = spawnSync(PYTHON, ['-c', SETUP], setUp);
      return tried.status === 3 ? undefined : tried;
    }, 'NetworkManager is on the bus');
    assert.equal(status, 0, stderr);
  }

  it('is SSID, metered or not, and bit rate of the default route, or what the kernel tells', async () => {
    await startBus();
    await startManager();
    assert.deepEqual(await read(), {
      interface: { value: 'wlan0' },
      ssid: { value: 'Hall 2' },
      metered: { value: false },
      linkBitsPerS: { value: 54e6 },
    });
    facts = { ...facts, interface: { value: 'eth0' }, metered: { value: false } };
    const wired = await read();
    assert.deepEqual([wired.ssid, wired.metered], [{ value: '' }, { value: false }]);
    facts = { ...facts, interface: { value: 'wg0' } };
    assert.match(JSON.stringify((await read()).ssid), /the kernel does not tell \(.*/);
  });

  it('is lost with the bus, says why, and is back when the bus is', async () => {
    assert.match(JSON.stringify((await read()).ssid), /the kernel does not tell \(no D-Bus: .*ENOENT/);
    await startBus();
    assert.match(JSON.stringify((await read()).ssid), /ServiceUnknown|was not provided/);
    await startManager();
    assert.deepEqual((await read()).ssid, { value: 'Hall 2' });
    await endChild(manager);
    assert.match(JSON.stringify((await read()).ssid), /the kernel does not tell \(/);
    await endChild(daemon);
    await eventually(
      async () => JSON.stringify((await read()).ssid).includes('no D-Bus'),
      'the bus is missed',
    );
    await rm(join(folder, 'bus'), { force: true });
    await startBus();
    await startManager();
    assert.deepEqual((await read()).ssid, { value: 'Hall 2' });
  });
});
