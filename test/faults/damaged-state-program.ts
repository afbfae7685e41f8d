// Damages one file of a data folder after the other and starts recorder and sync on it; prints a line of JSON for
// each case. Arguments: which damages, all of them by default. A process of its own, since the tests may run as root, for whom a mode means nothing.
import * as fs from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describeError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { systemPorts } from '../../src/host/ports.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { openStore } from '../../src/stores/open-store.js';
import { SyncGroup } from '../../src/sync/sync-group.js';
import { sinkOf } from '../sync/group-world.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from '../recorder/recorder-support.js';
import { eventually } from '../../src/testing/waiting.js';

const DRAIN_MS = 30_000;
const ports = systemPorts(silentLogger);
const channels = [testChannel('/a/one', 'a'), testChannel('/b/two', 'b', true)];

/** What can happen to a file; each gets its path. */
const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
  emptied: (path) => fs.truncate(path, 0),
  cut: async (path) => fs.truncate(path, Math.floor((await fs.stat(path)).size / 2)),
  zeroed: async (path) => fs.writeFile(path, Buffer.alloc((await fs.stat(path)).size)),
  unreadable: (path) => fs.chmod(path, 0),
};

/** Records a few messages; `whileOpen` runs before the recorder ends. Returns how many became durable. */
async function record(place: RecorderPlace, whileOpen?: () => Promise<void>): Promise<number> {
  const source = new PuppetSource();
  const options = place.options({ ballast_bytes: '1MiB' });
  const recorder = await Recorder.open(options, [source.input()], ports);
  for (const channel of channels) {
    source.emit({ kind: 'channel', channel });
    for (let i = 0; i < 5; i++) source.emit(testMessage(channel, `message ${i}`));
  }
  if (whileOpen) {
    await eventually(() => recorder.status().totals.durable >= 10, 'the commit');
    await whileOpen();
  }
  source.end();
  return (await recorder.done).durable;
}

async function sync(place: RecorderPlace, withinMs = DRAIN_MS): Promise<boolean> {
  const { fs: fileSystem, clock, random } = ports;
  const store = await openStore(`dir:${join(place.data, '..', 'store')}`, {}, { fileSystem, clock, random });
  await using group = await SyncGroup.open({
    ...{
      dataFolder: place.data,
      sinks: [sinkOf(store)],
      fs: fileSystem,
      clock,
      random,
      logger: silentLogger,
    },
    ...{ version: 'test', pid: process.pid, options: { pollIntervalMs: 20, housekeepingIntervalMs: 50 } },
  });
  return (await group.drain(AbortSignal.timeout(withinMs))).complete;
}

/** A folder with segments in the store, one that is only sealed, and one that a kill has left open. */
async function prepare(place: RecorderPlace, kept: string): Promise<void> {
  const root = join(place.data, '..');
  await fs.mkdir(join(root, 'store'));
  await record(place);
  await sync(place);
  await record(place);
  await record(place, () => fs.cp(root, kept, { recursive: true }));
}

async function attempt(role: string, work: () => Promise<boolean>): Promise<string[]> {
  try {
    return (await work()) ? [] : [`${role} did not do its work`];
  } catch (error) {
    return [`${role}: ${describeError(error)}`];
  }
}

const chosen = process.argv.slice(2);
await using place = await RecorderPlace.make();
const root = join(place.data, '..');
const kept = `${root}-kept`;
try {
  await prepare(place, kept);
  const files = (await fs.readdir(join(kept, 'data'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(join(kept, 'data'), join(entry.parentPath, entry.name)));
  for (const file of files.sort()) {
    for (const [damage, apply] of Object.entries(damages)) {
      if (chosen.length > 0 && !chosen.includes(damage)) continue;
      await fs.rm(root, { recursive: true, force: true });
      await fs.cp(kept, root, { recursive: true });
      await apply(join(place.data, file));
      const isSealed = file.startsWith('sealed/');
      const faults = [
        ...(await attempt('recorder', async () => (await record(place)) === 10)),
        // An unreadable sealed segment waits for another mode; sync has started anyway.
        ...(await attempt('sync', () =>
          isSealed && damage === 'unreadable' ? sync(place, 2_000).then(() => true) : sync(place),
        )),
      ];
      console.log(JSON.stringify({ file, damage, faults }));
    }
  }
} finally {
  await fs.rm(kept, { recursive: true, force: true });
}
process.exit(0);
