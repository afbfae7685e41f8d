import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { KernelNetwork } from '../../../src/host/network/kernel-network.js';

const HEAD = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n';
const route4 = (name: string, metric: number, to = '00000000', flags = '0003'): string =>
  `${name}\t${to}\t0102A8C0\t${flags}\t0\t0\t${metric}\t${to === '00000000' ? to : '00FFFFFF'}\t0\t0\t0\n`;
const ZERO = '0'.repeat(32);
const route6 = (name: string, metric: string, flags = '00000003'): string =>
  `${ZERO} 00 ${ZERO} 00 fe800000000000000000000000000001 ${metric} 00000001 00000000 ${flags} ${name}\n`;

describe('what the kernel tells about the network', () => {
  let root: string;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-network-'));
  });
  afterEach(() => fs.rm(root, { recursive: true, force: true }));

  async function read(files: Readonly<Record<string, string>>): ReturnType<KernelNetwork['read']> {
    for (const [name, text] of Object.entries(files)) {
      await fs.mkdir(dirname(join(root, name)), { recursive: true });
      await fs.writeFile(join(root, name), text);
    }
    return new KernelNetwork(fs, { proc: join(root, 'proc'), sys: join(root, 'sys') }).read();
  }
  const device = (name: string, files: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(files).map(([file, text]) => [`sys/class/net/${name}/${file}`, text]));

  it('is the interface of the default route with the lowest metric that is up', async () => {
    const routes =
      HEAD + route4('eth0', 0, '0002A8C0') + route4('wwan0', 700) + route4('eth1', 100, '00000000', '0002');
    const facts = await read({ 'proc/net/route': routes + route4('wlan0', 600) });
    assert.deepEqual(facts.interface, { value: 'wlan0' });
  });

  it('is the interface of the IPv6 route when there is no other', async () => {
    const v6 = route6('lo', 'ffffffff', '00200200') + route6('eth3', '00000400') + route6('eth2', '00000064');
    assert.deepEqual((await read({ 'proc/net/route': HEAD, 'proc/net/ipv6_route': v6 })).interface, {
      value: 'eth2',
    });
  });

  it('is a network card that is not metered, with its rate', async () => {
    const files = { type: '1\n', speed: '1000\n', 'device/uevent': 'DRIVER=e1000e\nPCI_CLASS=20000\n' };
    const facts = await read({ 'proc/net/route': HEAD + route4('eth0', 100), ...device('eth0', files) });
    assert.deepEqual(facts, {
      interface: { value: 'eth0' },
      ssid: { value: '' },
      metered: { value: false },
      linkBitsPerS: { value: 1e9 },
    });
  });

  it('is metered for modems and for telephones over USB', async () => {
    for (const files of [
      { type: '1\n', uevent: 'DEVTYPE=wwan\nINTERFACE=usb0\n' },
      { type: '512\n' },
      { type: '519\n' },
      { type: '1\n', 'device/uevent': 'DRIVER=rndis_host\n' },
    ]) {
      await fs.rm(join(root, 'sys'), { recursive: true, force: true });
      const facts = await read({ 'proc/net/route': HEAD + route4('usb0', 100), ...device('usb0', files) });
      assert.deepEqual(facts.metered, { value: true }, JSON.stringify(files));
    }
  });

  it('is unknown, with a reason, for Wi-Fi, for tunnels, and without a rate', async () => {
    const wifi = await read({
      'proc/net/route': HEAD + route4('wlan0', 100),
      ...device('wlan0', { type: '1\n', speed: '-1\n', 'phy80211/name': 'phy0\n' }),
    });
    for (const fact of [wifi.ssid, wifi.metered, wifi.linkBitsPerS]) assert.ok('unknown' in fact);
    const tunnel = await read({
      'proc/net/route': HEAD + route4('br0', 100),
      ...device('br0', { type: '1\n' }),
    });
    assert.deepEqual(tunnel.metered, { unknown: 'br0 is neither a network card nor a modem' });
  });

  it('is nothing without a route, and unknown without the files of the kernel', async () => {
    const none = await read({ 'proc/net/route': HEAD });
    assert.deepEqual(none.interface, { value: '' });
    assert.deepEqual(none.metered, { unknown: 'there is no default route' });
    const elsewhere = await new KernelNetwork(fs, { proc: join(root, 'none') }).read();
    assert.match(JSON.stringify(elsewhere.interface), /the routes of the kernel cannot be read.*ENOENT/);
  });
});
