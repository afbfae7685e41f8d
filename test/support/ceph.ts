import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lacking } from '../../src/testing/lacking.js';
import { eventually } from '../../src/testing/waiting.js';
import { endChild } from './end-child.js';
import { freePort } from './free-port.js';
import { createBucket, type OwnS3Server } from './s3-server.js';

/** Of the Debian packages ceph-mon, ceph-osd and radosgw, and of what they need. */
const PROGRAMS = ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'];
const START_TIMEOUT_MS = 120_000;
const CREDENTIALS = { accessKeyId: 'tester', secretAccessKey: 'testing-ceph' };

const run = promisify(execFile);

/**
 * Starts the smallest Ceph that has an S3 interface: one monitor, one OSD that keeps objects in memory, and one RADOS
 * gateway. Nothing installs it, because it takes some 260 MB; without it the test is skipped.
 */
export async function startCeph(context: Mocha.Context): Promise<OwnS3Server> {
  const missing = PROGRAMS.filter((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).error);
  if (missing.length > 0) {
    lacking(context, 'ceph', `no ${missing.join(', ')} (Debian's ceph-mon, ceph-osd and radosgw)`);
  }
  const cluster = new Cluster();
  try {
    return await cluster.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

class Cluster {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-ceph-'));
  readonly #children: ChildProcess[] = [];
  #said = '';
  readonly #onExit = (): void => {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  };

  async start(): Promise<OwnS3Server> {
    process.once('exit', this.#onExit);
    const [monitor, gateway] = [await freePort(), await freePort()];
    const [fsid, osd] = [randomUUID(), randomUUID()];
    for (const name of ['mon', 'osd']) mkdirSync(this.#at(name));
    writeFileSync(this.#at('keyring'), keyring(), { mode: 0o600 });
    writeFileSync(this.#at('ceph.conf'), configuration(this.#folder, fsid, monitor, gateway));
    const map = this.#at('monmap');
    await run('monmaptool', [
      ...['--create', '--addv', 'a', `[v2:127.0.0.1:${monitor}]`, '--fsid', fsid],
      map,
    ]);
    await this.#run('ceph-mon', ['--mkfs', '-i', 'a', '--monmap', map]);
    this.#spawn('ceph-mon', ['-i', 'a']);
    await this.#run('ceph', ['osd', 'new', osd]);
    await this.#run('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', osd]);
    this.#spawn('ceph-osd', ['-i', '0']);
    const { accessKeyId, secretAccessKey } = CREDENTIALS;
    const keys = ['--access-key', accessKeyId, '--secret-key', secretAccessKey];
    // It makes the pools of the gateway, and waits for the OSD.
    await this.#run('radosgw-admin', [
      ...['user', 'create', '--uid', 'tester', '--display-name', 'tester'],
      ...keys,
    ]);
    this.#spawn('radosgw', ['-n', 'client.admin']);
    const endpoint = `http://127.0.0.1:${gateway}`;
    const answers = async (): Promise<boolean> => {
      const ended = this.#children.find(({ exitCode }) => exitCode !== null);
      if (ended) throw new Error(`${ended.spawnfile} ended with exit code ${ended.exitCode}: ${this.#said}`);
      return (await fetch(endpoint).catch(() => undefined))?.status === 200;
    };
    await eventually(answers, 'the RADOS gateway', START_TIMEOUT_MS);
    const server = { endpoint, ...CREDENTIALS };
    return {
      ...server,
      createBucket: (name) => createBucket(server, name),
      [Symbol.asyncDispose]: () => this.stop(),
    };
  }

  async stop(): Promise<void> {
    process.off('exit', this.#onExit);
    for (const child of this.#children.reverse()) await endChild(child);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #at(name: string): string {
    return join(this.#folder, name);
  }

  async #run(program: string, args: readonly string[]): Promise<void> {
    await run(program, ['-c', this.#at('ceph.conf'), ...args], {
      timeout: START_TIMEOUT_MS,
      maxBuffer: 2 ** 25,
    });
  }

  #spawn(program: string, args: readonly string[]): void {
    const child = spawn(program, ['-c', this.#at('ceph.conf'), ...args, '-f'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (text: Buffer) => (this.#said = `${this.#said}${text.toString()}`.slice(-4_000)));
    this.#children.push(child);
  }
}

/** Keys of cephx: the gateway does not start without them. */
function keyring(): string {
  return ['mon.', 'client.admin', 'osd.0']
    .map((name) => `[${name}]\nkey = ${secretKey()}\ncaps mon = "allow *"\ncaps osd = "allow *"\n`)
    .join('');
}

/** A key for AES as `ceph-authtool` prints it: type, time of creation (s, ns), length, bytes; little-endian. */
function secretKey(): string {
  const head = Buffer.alloc(12);
  head.writeUInt16LE(1, 0);
  head.writeUInt32LE(Math.floor(Date.now() / 1000), 2);
  head.writeUInt16LE(16, 10);
  return Buffer.concat([head, randomBytes(16)]).toString('base64');
}

/** Of one copy each, and of no more placement groups, shards and rounds than it takes. */
function configuration(folder: string, fsid: string, monitor: number, gateway: number): string {
  return `[global]
fsid = ${fsid}
mon host = v2:127.0.0.1:${monitor}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = ${folder}/keyring
run dir = ${folder}
admin socket =
log file =
mon cluster log file =
err to stderr = true
mon data = ${folder}/mon
paxos propose interval = 0.05
paxos min wait = 0.01
mon allow pool size one = true
mon max pg per osd = 1000
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd class dir = /usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/rados-classes
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
rgw data = ${folder}
rgw frontends = beast endpoint=127.0.0.1:${gateway}
rgw thread pool size = 16
rgw run sync thread = false
rgw enable lc threads = false
rgw enable gc threads = false
`;
}
