import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layCable, type Cable } from '../../support/namespaces.js';
import { present } from '../../../src/core/present.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually } from '../../../src/testing/waiting.js';

const main = fileURLToPath(new URL('../../../src/app/main.js', import.meta.url));
const vehicle = fileURLToPath(new URL('v2v-sender-process.js', import.meta.url));

const PORT = 47_800;

interface Sealed {
  readonly channels: readonly { readonly topic: string; readonly count: number }[];
  readonly gaps: readonly { readonly topic?: string; readonly reason: string; readonly count?: number }[];
}

/** The bytes that wait in the sockets of the port; undefined while there is no such socket. */
function unreadBytes(namespace: string): number | undefined {
  const files = ['/proc/net/udp', '/proc/net/udp6'];
  const { stdout } = spawnSync('ip', ['netns', 'exec', namespace, 'cat', ...files], { encoding: 'utf8' });
  const port = PORT.toString(16).toUpperCase();
  // sl local_address rem_address st tx_queue:rx_queue
  const sockets = [...stdout.matchAll(new RegExp(`:${port} \\S+ \\S+ [0-9A-F]+:([0-9A-F]+) `, 'g'))];
  if (sockets.length === 0) return undefined;
  return sockets.reduce((sum, [, unread]) => sum + Number.parseInt(present(unread), 16), 0);
}

/** Whether datagrams to the address, a group or an own one, come in. */
function hears(namespace: string, address: string): boolean {
  const lists = ['maddress', 'address'].map(
    (of) => spawnSync('ip', ['-n', namespace, of, 'show'], { encoding: 'utf8' }).stdout,
  );
  return lists
    .join(' ')
    .split(/[\s/]+/)
    .includes(address);
}

describe('Vehicle-to-vehicle UDP between two network namespaces', function () {
  this.timeout(60_000);
  let cable: Cable;
  let folder = '';
  before(function () {
    const made = layCable();
    if (typeof made === 'string') {
      lacking(this, 'netns', made);
    }
    cable = made;
  });
  // It does not exist after a failed start.
  after(() => (cable as Cable | undefined)?.close());
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-v2v-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  function startRecorder(uri: string): { child: ChildProcess; heard(pattern: RegExp): Promise<void> } {
    const args = ['record', '--source', uri, '--data', join(folder, 'rec'), '--json'];
    const child = spawn('ip', ['netns', 'exec', cable.near, process.execPath, main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => void (output += text));
    }
    const heard = async (pattern: RegExp): Promise<void> => {
      await eventually(
        () => {
          assert.equal(child.exitCode, null, output);
          return pattern.test(output);
        },
        `the recorder to say ${String(pattern)}`,
      );
    };
    return { child, heard };
  }

  /** Sends from the far end once the recorder has joined, ends the recorder, and reads what is sealed. */
  async function drive(uri: string, address: string, lose: number, swap: number): Promise<Sealed> {
    const recorder = startRecorder(uri);
    try {
      await recorder.heard(/recording/);
      await eventually(
        () => unreadBytes(cable.near) !== undefined && hears(cable.near, address),
        'the socket',
      );
      const args = [address, String(PORT), cable.farInterface, '600', String(lose), String(swap)];
      const sent = spawnSync('ip', ['netns', 'exec', cable.far, process.execPath, vehicle, ...args]);
      assert.equal(sent.status, 0, sent.stderr.toString());
      await eventually(() => unreadBytes(cable.near) === 0, 'all datagrams read');
      recorder.child.kill('SIGTERM');
      await once(recorder.child, 'exit');
    } finally {
      recorder.child.kill('SIGKILL');
    }
    const names = await fs.readdir(join(folder, 'rec', 'sealed'));
    const manifests = await Promise.all(
      names
        .filter((name) => name.endsWith('.json'))
        .map(
          async (name) =>
            JSON.parse(await fs.readFile(join(folder, 'rec', 'sealed', name), 'utf8')) as Sealed,
        ),
    );
    return {
      channels: manifests.flatMap(({ channels }) => channels),
      gaps: manifests.flatMap(({ gaps }) => gaps),
    };
  }

  const recorded = ({ channels }: Sealed): number =>
    channels.filter(({ topic }) => topic === '/car1/v2v/state').reduce((sum, { count }) => sum + count, 0);
  const lost = ({ gaps }: Sealed): number =>
    gaps.filter(({ topic }) => topic === '/car1/v2v/state').reduce((sum, { count = 0 }) => sum + count, 0);

  for (const [name, uri, address] of [
    ['an IPv4 group', () => 'udp://239.7.7.7:47800', '239.7.7.7'],
    ['an IPv6 group', () => 'udp://[ff15::77]:47800', 'ff15::77'],
  ] as const) {
    it(`accounts for every datagram of ${name} that was lost or reordered on the way into the MCAP`, async () => {
      const near = spawnSync('ip', ['-n', cable.near, '-o', 'link', 'show'], { encoding: 'utf8' });
      const iface = present(/(vn\d+)@/.exec(near.stdout))[1]!;
      const sealed = await drive(`${uri()}?iface=${iface}`, address, 50, 7);
      assert.equal(recorded(sealed), 588);
      // Number 600 is the last: nothing after it tells that it is missing.
      assert.equal(lost(sealed), 11);
    });
  }

  it('accounts for what netem loses and reorders, to a unicast address', async function () {
    if (!cable.impair('loss', '5%', 'delay', '3ms', '2ms', 'reorder', '25%')) {
      lacking(this, 'netem', 'this kernel has no netem (loss and reordering by the sender were run)');
    }
    const sealed = await drive('udp://10.77.0.1:47800', '10.77.0.1', 0, 0);
    assert.ok(lost(sealed) > 0);
    // The first and the last numbers may be lost without a trace.
    const total = recorded(sealed) + lost(sealed);
    assert.ok(total > 590 && total <= 600, `${total} of 600`);
  });
});
