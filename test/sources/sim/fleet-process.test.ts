import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { present } from '../../../src/core/present.js';
import { FleetControl } from '../../../src/sources/sim/fleet-control.js';
import type { FleetLedger } from '../../../src/sources/sim/fleet-ledger.js';
import { createSimSource } from '../../../src/sources/sim/sim-source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import { Probe } from '../../../src/testing/source-probe.js';
import { eventually } from '../../../src/testing/waiting.js';

// Beside this test: the .ts under a loader, the .js once compiled.
const script = fileURLToPath(
  new URL(
    `../../../src/app/demo/fleet-process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
    import.meta.url,
  ),
);

interface Fleet {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly lines: string[];
  readonly errors: string[];
  readonly exited: Promise<unknown[]>;
}

describe('The fleet in a process of its own', function () {
  this.timeout(60_000);
  const fleets: Fleet[] = [];

  function launch(...args: readonly string[]): Fleet {
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const fleet: Fleet = { child, lines: [], errors: [], exited: once(child, 'exit') };
    createInterface({ input: child.stdout }).on('line', (line) => fleet.lines.push(line));
    createInterface({ input: child.stderr }).on('line', (line) => fleet.errors.push(line));
    fleets.push(fleet);
    return fleet;
  }

  afterEach(async () => {
    for (const { child, exited } of fleets.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    }
  });

  it('numbers on between two recorders, stops on command and prints its ledger', async () => {
    const fleet = launch('--sim', 'robots=2&camera_kb=16&rate=3x', '--wait-for-listener');
    await eventually(() => fleet.lines.length > 0, 'the first line', 30_000);
    const { uri, host, port } = JSON.parse(fleet.lines[0]!) as { uri: string; host: string; port: number };
    const first = new Probe(createSimSource(parseSourceUri(uri)));
    await eventually(() => first.messages.length > 100, 'messages');
    first.unsubscribe();
    const second = new Probe(createSimSource(parseSourceUri(uri)));
    await eventually(() => second.messages.length > 100, 'messages again');
    await using control = await FleetControl.connect({ host, port });
    const stopped = await control.stop();
    await second.end();
    await control.exit();
    assert.deepEqual(await fleet.exited, [0, null]);
    const ledger = JSON.parse(present(fleet.lines.at(-1))) as FleetLedger;
    assert.deepEqual(ledger, { ...stopped, connected: ledger.connected });
    assert.equal(ledger.connections, 2);
    for (const { topic, produced, robot } of ledger.channels) {
      const received = [first, second].map((probe) =>
        probe.messages.filter((message) => message.channel.topic === topic),
      );
      const numbering = second.events.find(
        (event) => event.kind === 'numbering' && event.channel.topic === topic,
      );
      assert.ok(numbering?.kind === 'numbering');
      assert.equal(received[1]!.length, produced - numbering.next + 1, topic);
      assert.ok((received[0]!.at(-1)?.sourceSequence ?? 0) < numbering.next);
      assert.ok(topic.startsWith(`/${robot}/`));
    }
  });

  it('ends when its standard input does, with a ledger', async () => {
    const fleet = launch('--sim', 'robots=1&topics=imu');
    await eventually(() => fleet.lines.length > 0, 'the first line', 30_000);
    fleet.child.stdin.end();
    assert.deepEqual(await fleet.exited, [0, null]);
    assert.equal((JSON.parse(present(fleet.lines.at(-1))) as FleetLedger).state, 'stopped');
  });

  it('reports the faults of its arguments', async () => {
    const fleet = launch('--sim', 'robots=many&rate=fast');
    assert.deepEqual(await fleet.exited, [2, null]);
    await eventually(() => fleet.errors.length > 0, 'the error');
    assert.match(fleet.errors.join(), /robots: "many" is not an integer.*rate: "fast"/);
  });
});
