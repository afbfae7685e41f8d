import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../core/clock.js';
import { describeError, HoldfastError } from '../../core/errors.js';
import { randomHex } from '../../core/identity.js';
import type { Logger } from '../../core/logger.js';
import type { Store } from '../../core/store.js';
import type { JobRequest, JobState, RecordingJobs } from '../../ground/catalogue/job-routes.js';
import { mainScript } from '../setup/main-script.js';

export interface JobPorts {
  /** For the files; emptied by its owner. */
  readonly scratch: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: (count: number) => Uint8Array;
}

/** A larger recording would fill the temporary folder. */
const RECORDING_MAX_BYTES = 2 * 2 ** 30;
const TIMEOUT_MS = 600_000;
/** Results that are kept, the newest. */
const KEPT_MAX = 8;
const SAID_MAX_BYTES = 2_048;

/**
 * Reports and exports of single recordings, each made by a process of its own at the lowest priority, one at a
 * time. The newest results stay until the ground ends.
 */
export class RecordingJobProcesses implements RecordingJobs, AsyncDisposable {
  readonly #ports: JobPorts;
  readonly #jobs = new Map<string, JobState>();
  readonly #lifetime = new AbortController();
  #running: Promise<void> | undefined;

  constructor(ports: JobPorts) {
    this.#ports = ports;
  }

  start(store: Store, request: JobRequest): string {
    const { bytes } = request;
    if (this.#running !== undefined)
      throw new HoldfastError('STATE_REFUSED', 'another report or export is being made, try again later');
    if (bytes > RECORDING_MAX_BYTES)
      throw new HoldfastError(
        'STATE_REFUSED',
        `the recording has ${bytes} bytes, allowed here: ${RECORDING_MAX_BYTES}; use holdfast ${request.kind}`,
      );
    const id = randomHex(this.#ports.random, 16);
    this.#jobs.set(id, { state: 'running', message: '' });
    this.#running = this.#make(id, store, request).finally(() => (this.#running = undefined));
    return id;
  }

  state(id: string): JobState | undefined {
    return this.#jobs.get(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lifetime.abort(new Error('the ground ends'));
    await this.#running;
  }

  async #make(id: string, store: Store, request: JobRequest): Promise<void> {
    const { scratch, logger } = this.#ports;
    const folder = join(scratch, id);
    const { name, kind } = request;
    const [input, output] = [join(folder, `${name}.mcap`), join(folder, 'out')];
    const signal = AbortSignal.any([this.#lifetime.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      await mkdir(folder, { mode: 0o700 });
      await pipeline(
        Readable.from(store.read(request.key, undefined, { signal }), { objectMode: false }),
        createWriteStream(input),
        { signal },
      );
      const file = kind === 'report' ? `${name}.html` : `${name}-${request.format}.tar`;
      const program = [process.execPath, ...process.execArgv, mainScript];
      // A path never looks like an option, so no name of a robot can be one.
      if (kind === 'report')
        await run([...program, 'report', '--from', input, '--output', join(folder, file)], signal);
      else {
        await run(
          [...program, 'export', '--from', input, '--format', request.format, '--to', output],
          signal,
        );
        await run(['tar', '-cf', join(folder, file), '-C', output, '.'], signal);
        await rm(output, { recursive: true });
      }
      await rm(input);
      this.#jobs.set(id, { state: 'done', message: '', key: `${id}/${file}` });
    } catch (error) {
      logger.warn('a report or an export failed', { recording: request.key, kind, error });
      this.#jobs.set(id, { state: 'failed', message: describeError(error) });
      await rm(folder, { recursive: true, force: true });
    }
    await this.#forget();
  }

  async #forget(): Promise<void> {
    const old = [...this.#jobs.keys()].slice(0, -KEPT_MAX);
    for (const id of old) {
      this.#jobs.delete(id);
      await rm(join(this.#ports.scratch, id), { recursive: true, force: true });
    }
  }
}

/** Exit code 3 of report and export: the result is there, and says what was not readable. */
const FINDINGS = 3;

async function run([program = '', ...args]: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], signal });
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-SAID_MAX_BYTES)));
  const exitCode = await closed(child);
  if (exitCode !== 0 && exitCode !== FINDINGS)
    throw new HoldfastError('STATE_REFUSED', `it ended with ${String(exitCode)}: ${said.trim()}`);
}

async function closed(child: ChildProcess): Promise<number | null> {
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return exitCode;
}
