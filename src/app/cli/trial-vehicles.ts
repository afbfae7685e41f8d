import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { X509Certificate } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { SerialQueue } from '../../core/serial-queue.js';
import type { RobotRegistry } from '../../ground/robot-registry.js';
import type { TrialFleet, TrialView } from '../../ground/trial-routes.js';
import { openScratchFolder } from '../../host/scratch-folder.js';
import { LinkTunnel } from '../demo/ground/link-tunnel.js';
import { mainScript } from '../setup/main-script.js';

/** One vehicle of each kind, as they differ in speed, power and battery. */
const KINDS = ['car', 'small_car', 'suv', 'sports_car', 'van'] as const;
/** In front of the names of the vehicles: no robot of somebody else is replaced. */
const PREFIX = 'try_';
const CERTIFICATE_FILE = 'ground.pem';
const LINES_MAX = 500;
const LINE_MAX_CHARS = 400;
/** A recorder seals for at most 3 s when it ends. */
const END_MS = 8_000;
/**
 * Runs the arguments, and ends them when standard input ends: also if the ground was killed, no recorder stays.
 * The shell gives background jobs no standard input of their own, so it is kept as descriptor 3.
 */
const LAUNCHER =
  'exec 3<&0; "$@" 3<&- & child=$!; (cat <&3 >/dev/null; kill "$child") 2>/dev/null & exec 3<&-; wait "$child"';

interface Vehicle {
  readonly name: string;
  readonly tunnel: LinkTunnel;
  readonly recorder: ChildProcess;
}

export interface TrialPorts {
  readonly registry: Pick<RobotRegistry, 'enrol' | 'revoke' | 'list'>;
  /** Where the ground listens; its port is known once it does. */
  readonly ground: { readonly host: string; readonly port: () => number };
  readonly logger: Logger;
}

/**
 * Five vehicles that drive the bundled electric drive. Each has a process, an identity, a token, a data folder
 * with its outbox, and a link that can be cut. What they record is in a temporary folder, and goes with them.
 */
export class TrialVehicles implements TrialFleet, AsyncDisposable {
  readonly #ports: TrialPorts;
  readonly #turns = new SerialQueue();
  #vehicles: Vehicle[] = [];
  #scratch: (AsyncDisposable & { readonly path: string }) | undefined;
  #state: TrialView['state'] = 'stopped';
  #isCut = false;
  #problem = '';
  #lines: { readonly number: number; readonly text: string }[] = [];
  #lastNumber = 0;
  /** The ground's own certificate, as PEM; empty: it has no TLS. */
  #certificate = '';

  constructor(ports: TrialPorts) {
    this.#ports = ports;
  }

  view(after: number): TrialView {
    return {
      ...{ state: this.#state, isCut: this.#isCut, problem: this.#problem },
      robots: this.#vehicles.map(({ name }) => name),
      lines: this.#lines.filter(({ number }) => number > after),
    };
  }

  play(): void {
    if (this.#state !== 'stopped') return;
    this.#state = 'starting';
    this.#problem = '';
    void this.#turns.run(() => this.#start());
  }

  stop(): void {
    if (this.#state === 'stopped' || this.#state === 'stopping') return;
    this.#state = 'stopping';
    void this.#turns.run(() => this.#end());
  }

  cut(): void {
    if (this.#isCut || this.#state !== 'playing') return;
    this.#isCut = true;
    for (const { tunnel } of this.#vehicles) tunnel.cut();
    this.#say('the link is cut: the vehicles record, and keep their samples for the ground');
  }

  mend(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    for (const { tunnel } of this.#vehicles) tunnel.mend();
    this.#say('the link is there again: the vehicles connect, and send what they kept');
  }

  /**
   * The vehicles trust this certificate and no other, also if its names are not those of this machine.
   *
   * @param chain - As PEM; the first certificate is the ground's own.
   */
  trust(chain: string): void {
    const certificate = new X509Certificate(chain).toString();
    if (certificate === this.#certificate) return;
    this.#certificate = certificate;
    const write = async (): Promise<void> => {
      if (this.#scratch !== undefined) await this.#writeCertificate(this.#scratch.path);
    };
    void this.#turns.run(write).catch((error: unknown) => this.#say(describeError(error)));
  }

  /** Nothing that they recorded is kept, so nothing needs to be sealed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    for (const { recorder } of this.#vehicles) killNow(recorder);
    await this.#turns.run(() => Promise.resolve());
  }

  async #start(): Promise<void> {
    try {
      const enrolled = (await this.#ports.registry.list()).filter((name) => name.startsWith(PREFIX));
      // A ground that was killed leaves them behind.
      for (const name of enrolled) await this.#ports.registry.revoke(name);
      this.#scratch = await openScratchFolder('trial');
      await this.#writeCertificate(this.#scratch.path);
      for (const [index, kind] of KINDS.entries()) await this.#add(kind, index + 1, this.#scratch.path);
      if (this.#state === 'starting') this.#state = 'playing';
    } catch (error) {
      this.#problem = describeError(error);
      this.#ports.logger.warn('the bundled fleet cannot be played', { error });
      await this.#end();
    }
  }

  /** In one step: a vehicle that connects now reads the file whole. */
  async #writeCertificate(folder: string): Promise<void> {
    if (this.#certificate === '') return;
    const file = join(folder, CERTIFICATE_FILE);
    await writeFile(`${file}.tmp`, this.#certificate);
    await rename(`${file}.tmp`, file);
  }

  async #add(kind: string, seed: number, folder: string): Promise<void> {
    const name = `${PREFIX}${kind}_1`;
    const tokenFile = join(folder, `${name}.token`);
    await writeFile(tokenFile, `${await this.#ports.registry.enrol(name)}\n`, { mode: 0o600 });
    const { host, port } = this.#ports.ground;
    const tunnel = await LinkTunnel.open(port, host);
    const source = `csv:electric?vehicles=1&name=${PREFIX}${kind}_&profiles=${kind}&seed=${seed}&loop=true`;
    const trust =
      this.#certificate === '' ? [] : ['--ground-certificate-file', join(folder, CERTIFICATE_FILE)];
    const scheme = trust.length === 0 ? 'ws' : 'wss';
    const args = [
      ...['record', '--source', source, '--data', join(folder, name), '--tag', 'mission=try'],
      ...['--ground-url', `${scheme}://127.0.0.1:${tunnel.port}`, '--ground-token-file', tokenFile],
      ...trust,
      ...['--segment-max-age-ms', '20s', '--segment-max-bytes', '16MiB', '--ballast', '0'],
      ...[
        '--retention-max-bytes',
        '64MiB',
        '--retention-when-full',
        'drop-oldest',
        '--no-web',
        '--no-foxglove',
      ],
    ];
    const program = [process.execPath, ...process.execArgv, mainScript, ...args];
    const recorder = spawn('/bin/sh', ['-c', LAUNCHER, 'sh', ...program], {
      ...{ stdio: ['pipe', 'ignore', 'pipe'], detached: true },
    });
    this.#vehicles.push({ name, tunnel, recorder });
    createInterface({ input: recorder.stderr }).on('line', (line) => this.#say(`${name}  ${line}`));
    recorder.on('error', (error) => this.#say(`${name}  ${describeError(error)}`));
    recorder.on('exit', (exitCode) => {
      recorder.stdin.destroy();
      this.#say(`${name}  ended${exitCode === 0 ? '' : ` with ${String(exitCode)}`}`);
    });
  }

  async #end(): Promise<void> {
    const vehicles = this.#vehicles;
    await Promise.all(vehicles.map(({ recorder }) => ended(recorder)));
    for (const { name, tunnel } of vehicles) {
      await tunnel[Symbol.asyncDispose]();
      await this.#ports.registry.revoke(name).catch(() => false);
    }
    this.#vehicles = [];
    this.#isCut = false;
    await this.#scratch?.[Symbol.asyncDispose]();
    this.#scratch = undefined;
    this.#state = 'stopped';
  }

  #say(line: string): void {
    const text = line.length > LINE_MAX_CHARS ? `${line.slice(0, LINE_MAX_CHARS)}…` : line;
    this.#lines = [...this.#lines, { number: ++this.#lastNumber, text }].slice(-LINES_MAX);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.stdin?.end();
  const timer = setTimeout(() => killNow(child), END_MS);
  await exited;
  clearTimeout(timer);
}

/** The recorder and its shell: they are a process group. */
function killNow({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // They have ended already.
  }
}
