// Damages one file or folder of a data folder after the other, starts recorder and sync on it, and runs commands that
// read it; prints a line of JSON for each case. Arguments: which damages, all of them by default. A process of its
// own, since the tests may run as root, for whom a mode means nothing.
import * as fs from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Writable } from 'node:stream';
import { runCli } from '../../src/app/cli/run-cli.js';
import { StopSignals } from '../../src/app/cli/stop-signals.js';
import { describeError, isHoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { systemPorts } from '../../src/host/ports.js';
import { Terminal } from '../../src/host/terminal.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { openStore } from '../../src/stores/open-store.js';
import { SyncGroup } from '../../src/sync/sync-group.js';
import { sinkOf } from '../sync/group-world.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from '../recorder/recorder-support.js';
import { eventually } from '../../src/testing/waiting.js';

const DRAIN_MS = 30_000;
const BALLAST_BYTES = 1024 * 1024;
const ports = systemPorts(silentLogger);
const channels = [testChannel('/a/one', 'a'), testChannel('/b/two', 'b', true)];

/** What can happen to a file; each gets its path. */
const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
  emptied: (path) => fs.truncate(path, 0),
  cut: async (path) => fs.truncate(path, Math.floor((await fs.stat(path)).size / 2)),
  zeroed: async (path) => fs.writeFile(path, Buffer.alloc((await fs.stat(path)).size)),
  unreadable: (path) => fs.chmod(path, 0),
  closed: (path) => fs.chmod(path, 0),
};

/** Records a few messages; `whileOpen` runs before the recorder ends. Returns how many became durable. */
async function record(place: RecorderPlace, whileOpen?: () => Promise<void>): Promise<number> {
  const source = new PuppetSource();
  const options = place.options({ ballast_bytes: String(BALLAST_BYTES) });
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

/** An unreadable sealed segment waits for another mode: sync sends the others, and a drain names the manifest. */
async function syncOthers(place: RecorderPlace, path: string): Promise<boolean> {
  try {
    await sync(place, 2_000);
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'DATA_FOLDER_UNUSABLE') && error.message.includes(path)) return true;
    throw error;
  }
}

/** A folder with segments in the store, one that is only sealed, and one that a kill has left open. */
async function prepare(place: RecorderPlace, kept: string): Promise<void> {
  const root = join(place.data, '..');
  await fs.mkdir(join(root, 'store'));
  await fs.mkdir(join(place.data, 'events'), { recursive: true });
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

/** The file of the ballast, if it reserves what it should. */
async function ballastIn(data: string): Promise<number | undefined> {
  try {
    const { ino, size, blocks } = await fs.stat(join(data, 'ballast'));
    return size === BALLAST_BYTES && blocks * 512 >= size ? ino : undefined;
  } catch {
    return undefined;
  }
}

/** What a command says of the data folder, in this process. */
async function command(...args: string[]): Promise<CommandOutcome> {
  let output = '';
  const stream = (): Writable =>
    new Writable({
      write(chunk, _encoding, done) {
        output += String(chunk);
        done();
      },
    });
  const terminal = new Terminal({ stdout: stream(), stderr: stream() });
  using stop = new StopSignals(process, () => undefined);
  const exitCode = await runCli(args, { terminal, stop });
  return { exitCode, output };
}

interface CommandOutcome {
  readonly exitCode: number;
  readonly output: string;
}

async function commands(data: string): Promise<Record<string, CommandOutcome>> {
  const out = join(data, '..', 'out');
  return {
    verify: await command('verify', data),
    ls: await command('ls', data),
    export: await command('export', '--from', data, '--to', out, '--format', 'mcap'),
    status: await command('status', '--data', data),
    recover: await command('recover', '--data', data),
  };
}

/** Copies the data folder and damages one path in it. */
async function damaged(kept: string, root: string, path: string, damage: string): Promise<string> {
  await reopen(root);
  await fs.rm(root, { recursive: true, force: true });
  await fs.cp(kept, root, { recursive: true });
  const at = join(root, 'data', path);
  await damages[damage]?.(at);
  return at;
}

/** So that it can be removed. */
async function reopen(path: string): Promise<void> {
  const entry = await fs.lstat(path).catch(() => undefined);
  if (!entry?.isDirectory()) return;
  await fs.chmod(path, 0o700);
  for (const name of await fs.readdir(path)) await reopen(join(path, name));
}

async function tryCase(
  place: RecorderPlace,
  kept: string,
  file: string,
  damage: string,
): Promise<Record<string, unknown>> {
  const root = join(place.data, '..');
  const at = await damaged(kept, root, file, damage);
  const before = await ballastIn(place.data);
  const isSealed = file.startsWith('sealed/');
  const faults = await attempt('recorder', async () => (await record(place)) === 10);
  const ballast = await ballastIn(place.data);
  const isKept = damage === 'closed' || before === ballast;
  faults.push(
    ...(ballast === undefined ? ['the ballast is gone'] : []),
    ...(file === 'ballast' || isKept ? [] : ['the ballast was released']),
    ...(await attempt('sync', () =>
      isSealed && damage === 'unreadable' ? syncOthers(place, at) : sync(place),
    )),
  );
  if (damage !== 'closed') return { file, damage, faults };
  await damaged(kept, root, file, damage);
  return { file, damage, faults, path: at, commands: await commands(place.data) };
}

const chosen = process.argv.slice(2);
await using place = await RecorderPlace.make();
const root = join(place.data, '..');
const kept = `${root}-kept`;
try {
  await prepare(place, kept);
  const entries = await fs.readdir(join(kept, 'data'), { recursive: true, withFileTypes: true });
  const cases = [
    { file: '.', isFolder: true },
    ...entries.map((entry) => ({
      file: relative(join(kept, 'data'), join(entry.parentPath, entry.name)),
      isFolder: entry.isDirectory(),
    })),
  ].sort((a, b) => (a.file < b.file ? -1 : 1));
  for (const { file, isFolder } of cases) {
    for (const damage of Object.keys(damages)) {
      if (chosen.length > 0 && !chosen.includes(damage)) continue;
      if (isFolder !== (damage === 'closed')) continue;
      console.log(JSON.stringify(await tryCase(place, kept, file, damage)));
    }
  }
} finally {
  await reopen(root);
  await fs.rm(kept, { recursive: true, force: true });
}
process.exit(0);
