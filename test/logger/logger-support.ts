import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { present } from '../../src/core/present.js';
import type { VehicleLoggerOptions } from '../../src/logger/entry.js';
import { openRecording } from '../../src/recordings/entry.js';
import { decodeManifest } from '../../src/core/manifest.js';
import type { GapJson } from '../../src/core/gap.js';

export const pose = { x: 1.5, y: -2.25, theta: 0.1, v: 3 };

/** Parameters for recordings in small temporary places. */
export const small = { ballast_bytes: '0', 'retention.min_free_bytes': '0' };

/**
 * Limits that no test reaches: by default a logger gives up after 15 seconds, 3 at the end of a program, which a busy
 * machine may need to make entries durable and to seal them. Tests of these limits set their own.
 */
export const patient = { closeMs: 300_000, exitDrainMs: 60_000 };

/** A temporary folder with places for both sinks. */
export class LoggerPlace implements AsyncDisposable {
  private constructor(readonly root: string) {}

  static async make(): Promise<LoggerPlace> {
    return new LoggerPlace(await fs.mkdtemp(join(tmpdir(), 'holdfast-logger-')));
  }

  get csv(): string {
    return join(this.root, 'csv');
  }

  get wal(): { readonly data: string; readonly parameters: Readonly<Record<string, unknown>> } {
    return { data: join(this.root, 'rec'), parameters: small };
  }

  /** Lines of a CSV file, without its header. */
  async rows(name: string, folder = this.csv): Promise<string[]> {
    const text = await fs.readFile(join(folder, name), 'utf8');
    if (!text.endsWith('\n')) throw new Error(`${name} ends in a torn line`);
    return text.slice(0, -1).split('\n').slice(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await fs.rm(this.root, { recursive: true, force: true });
  }
}

/** What a data folder holds that is sealed: message values by topic, and gaps. */
export async function recorded(
  data: string,
): Promise<{ readonly values: Map<string, Record<string, unknown>[]>; readonly gaps: GapJson[] }> {
  const values = new Map<string, Record<string, unknown>[]>();
  await using recording = await openRecording(data);
  for await (const { topic, value, problem } of recording.messages()) {
    if (problem !== undefined) throw new Error(problem);
    if (!values.has(topic)) values.set(topic, []);
    present(values.get(topic)).push(value as Record<string, unknown>);
  }
  const gaps: GapJson[] = [];
  const sealed = join(data, 'sealed');
  for (const name of await fs.readdir(sealed)) {
    if (!name.endsWith('.json')) continue;
    const manifest = decodeManifest(await fs.readFile(join(sealed, name), 'utf8'), name);
    gaps.push(...(JSON.parse(JSON.stringify(manifest.gaps, plain)) as GapJson[]));
  }
  return { values, gaps };
}

const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

/** What a program under test does. */
export interface Program {
  readonly options: VehicleLoggerOptions;
  /** Telemetry entries per second; all at once where absent. */
  readonly hz?: number;
  /** Entries; then it does `end`. Absent: for ever. */
  readonly count?: number;
  /** How it ends by itself: nothing more to do, `process.exit(3)`, an error nobody catches. */
  readonly end?: 'return' | 'exit' | 'throw';
}

/** A control program in a process of its own; says on standard output how many entries it has logged. */
export class ProgramRun {
  logged = 0;
  text = '';
  errors = '';
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;

  constructor(program: Program) {
    const script = fileURLToPath(new URL(`./logger-program${extname(import.meta.url)}`, import.meta.url));
    this.child = spawn(process.execPath, [...process.execArgv, script, JSON.stringify(program)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    present(this.child.stdout).on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
      const last = [...this.text.matchAll(/^logged (\d+)$/gm)].at(-1);
      if (last) this.logged = Number(last[1]);
    });
    present(this.child.stderr).on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal);
    await this.ended;
  }
}
