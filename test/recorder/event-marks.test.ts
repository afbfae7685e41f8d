import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { EVENTS_MAX, encodeEvent } from '../../src/core/event-files.js';
import { isHoldfastError } from '../../src/core/errors.js';
import type { RecorderEvent } from '../../src/core/events.js';
import { silentLogger } from '../../src/core/logger.js';
import { EventMarks } from '../../src/recorder/event-marks.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { RecorderHost } from '../../src/recorder/recorder-host.js';
import { systemPorts } from '../../src/host/ports.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';
import { eventually } from '../../src/testing/waiting.js';
import { firstOf } from '../support/first-of.js';

describe('a marked event', function () {
  this.timeout(30_000);
  const ports = systemPorts(silentLogger);
  let place: RecorderPlace;
  let puppet: PuppetSource;
  let host: RecorderHost;
  let events: RecorderEvent[];

  beforeEach(async () => {
    place = await RecorderPlace.make();
    events = [];
    puppet = new PuppetSource();
    host = new RecorderHost({ options: place.options(), ports, openInputs: () => [puppet.input()] });
    host.onEvent((event) => events.push(event));
  });
  afterEach(async () => {
    await host.close();
    await place[Symbol.asyncDispose]();
  });

  const now = (): { receivedAt: bigint } => ({ receivedAt: ports.clock.now() });
  const eventFiles = (): Promise<string[]> => fs.readdir(join(place.data, 'events'));

  it('is durable when answered, its segment is sealed when its window has passed, and contains it', async () => {
    await host.configure();
    await host.activate();
    puppet.emit(testMessage(testChannel('/old'), 'x', { receivedAt: 5n }));
    await eventually(() => host.status().totals.durable === 1, 'durable');
    await host.split();
    puppet.emit(testMessage(testChannel('/a'), 'x', now()));
    const marked = await host.markEvent({ label: 'bump', beforeS: 10, afterS: 0.1 });
    assert.deepEqual(await eventFiles(), [`${marked.id}.json`]);
    assert.equal(BigInt(marked.at) - BigInt(marked.from), 10_000_000_000n);
    await eventually(() => events.filter(({ kind }) => kind === 'segment-sealed').length === 2, 'sealed');
    const [before, overlapping] = firstOf(2, await place.manifests());
    assert.equal(before.events, undefined);
    assert.deepEqual(overlapping.events, [marked]);
    const reader = await openMcap(
      bytesReadable(await fs.readFile(join(place.data, 'sealed', overlapping.file.name))),
      'sealed',
    );
    const records = await reader.metadata('holdfast_event');
    assert.deepEqual(
      records.map(({ metadata }) =>
        metadata instanceof Map ? Object.fromEntries(metadata as Map<string, string>) : metadata,
      ),
      [marked],
    );
    assert.deepEqual(
      events.filter((event) => event.kind === 'event-marked').map(({ event }) => event),
      [marked],
    );
  });

  it('is known after a restart, and its window still ends a segment', async () => {
    await host.configure();
    const marked = await host.markEvent({ label: 'soon', beforeS: 0, afterS: 1.5 });
    await host.close();
    await host.configure();
    await host.activate();
    puppet.emit(testMessage(testChannel('/a'), 'x', now()));
    await eventually(() => events.some(({ kind }) => kind === 'segment-sealed'), 'sealed');
    assert.equal(host.phase, 'active');
    assert.deepEqual((await place.manifests())[0]?.events, [marked]);
  });

  it('is refused at once if its text is empty or too long, or if the folder is not held', async () => {
    const refuses = (code: 'STATE_REFUSED' | 'REQUEST_INVALID', label: string, beforeS: number): void =>
      assert.throws(
        () => host.markEvent({ label, beforeS, afterS: 0 }),
        (error) => isHoldfastError(error, code),
      );
    refuses('STATE_REFUSED', 'x', 0);
    await host.configure();
    refuses('REQUEST_INVALID', '', 0);
    refuses('REQUEST_INVALID', 'x', 3_601);
    refuses('REQUEST_INVALID', 'x', NaN);
  });

  it('goes when there are too many, the oldest first, or when it is old; a damaged one is left alone', async () => {
    const folder = join(place.data, 'events');
    await fs.mkdir(folder, { recursive: true });
    const at = ports.clock.now();
    const write = async (n: number, when: bigint): Promise<string> => {
      const id = n.toString(16).padStart(32, '0');
      const time = String(when);
      await fs.writeFile(
        join(folder, `${id}.json`),
        encodeEvent({ id, label: 'x', at: time, from: time, to: time }),
      );
      return id;
    };
    const ancient = await write(1, at - 31n * 86_400_000_000_000n);
    await fs.writeFile(join(folder, `${'f'.repeat(32)}.json`), '{');
    for (let n = 2; n < EVENTS_MAX + 2; n++) await write(n, at - BigInt(EVENTS_MAX - n) * 1_000n);
    const marks = await EventMarks.open(folder, ports);
    assert.equal(marks.all().length, EVENTS_MAX);
    assert.ok(!marks.all().some(({ id }) => id === ancient));
    const oldest = marks.all().reduce((a, b) => (BigInt(a.at) < BigInt(b.at) ? a : b));
    await marks.mark({ label: 'new', beforeS: 0, afterS: 0 });
    assert.equal(marks.all().length, EVENTS_MAX);
    assert.ok(!marks.all().includes(oldest));
    assert.equal((await fs.readdir(folder)).length, EVENTS_MAX + 1);
  });
});
