import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { present } from '../../src/core/present.js';
import { mainScript } from '../../src/app/setup/main-script.js';
import { sleep } from '../../src/testing/waiting.js';

/** A service under load. */
export interface Service extends AsyncDisposable {
  readonly pid: number;
  /** Where robots connect. */
  readonly url: string;
  /** Numbers of fields that are durable so far. */
  readonly durable: () => Promise<number>;
  /** Numbers of fields that it did not take because too many waited. */
  readonly dropped: () => Promise<number>;
}

/** How simulated robots talk: as Holdfast does, or a JSON message for each sample or value. */
export type Talk = 'uplink' | 'json-samples' | 'json-values';

const READY_MS = 60_000;

function scriptOf(name: string): string {
  return fileURLToPath(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url));
}

/** A ground as people run it, with the database of its own. */
export async function startGround(folder: string, port: number): Promise<Service> {
  const args = ['ground', '--data', folder, '--listen', `127.0.0.1:${port}`, '--log-level', 'error'];
  const child = spawn(process.execPath, [...process.execArgv, mainScript, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + READY_MS;
  while (!(await fetch(`${url}/readyz`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error('the ground does not start');
    await sleep(50);
  }
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(present(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]));
  };
  return {
    ...{ pid: child.pid ?? 0, url },
    durable: () => metric('holdfast_ground_history_stored_total'),
    dropped: () => metric('holdfast_ground_history_dropped_total'),
    [Symbol.asyncDispose]: () => end(child),
  };
}

/** The plain way, written for this benchmark. */
export async function startBaseline(talk: Talk, folder: string): Promise<Service> {
  const child = fork(scriptOf('json-baseline'), [folder, talk.replace('json-', '')], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [line] = (await once(present(child.stdout), 'data')) as [Buffer];
  const { port } = JSON.parse(line.toString('utf8')) as { port: number };
  return {
    ...{ pid: child.pid ?? 0, url: `ws://127.0.0.1:${port}` },
    async durable() {
      child.send('count');
      const [{ stored }] = (await once(child, 'message')) as [{ stored: number }];
      return stored;
    },
    dropped: () => Promise.resolve(0),
    [Symbol.asyncDispose]: () => end(child),
  };
}

/** Robots in a process of their own; resolves once all are connected. */
export async function startRobots(
  kind: Talk,
  url: string,
  tokenFile: string,
  seconds: number,
): Promise<{ readonly pid: number; readonly ended: Promise<RobotsResult> }> {
  const args = [scriptOf('fleet-load'), kind, url.replace(/^http/, 'ws'), tokenFile, String(seconds)];
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data: Buffer) => (text += data.toString('utf8')));
  const closed = once(child, 'close');
  while (!text.includes('connected')) {
    if (child.exitCode !== null) throw new Error('the robots ended');
    await sleep(20);
  }
  const ended = closed.then(() => JSON.parse(text.trim().split('\n').at(-1) ?? '') as RobotsResult);
  return { pid: child.pid ?? 0, ended };
}

/** What the robots did. */
export interface RobotsResult {
  readonly robots: number;
  /** Each of all fields. */
  readonly samples: number;
  readonly bytes: number;
  readonly elapsedS: number;
  /** Connections that ended too early. */
  readonly lost: number;
  /** Samples that were not confirmed when the load ended. */
  readonly waitingAtEnd: number;
  /** Samples that outboxes sent, each time that they did. */
  readonly resent: number;
  /** Until every sample was confirmed, or the robots gave up. */
  readonly drainS: number;
  /** Samples that were never confirmed. */
  readonly left: number;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}
