import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askRole } from '../../src/app/control/control-client.js';
import { present } from '../../src/core/present.js';
import type { ControlRole } from '../../src/recorder/control-protocol.js';
import { Tunnel } from '../../src/app/demo/tunnel.js';
import { dataFolder } from '../../src/core/data-folder.js';
import { listEvents, readEvent } from '../../src/core/event-files.js';
import type { MarkedEvent } from '../../src/core/marked-event.js';
import type { RecorderStatus, SyncStatus } from '../../src/core/status.js';
import { spawnCli, type CliProcess } from '../support/cli.js';
import { freePort } from '../support/free-port.js';

/** A simulated fleet in a real recorder with its page, a real sync, and a store that can be cut off. */
export class FleetWorld implements AsyncDisposable {
  readonly tunnel: Tunnel;
  readonly #root = mkdtempSync(join(tmpdir(), 'holdfast-page-'));
  readonly #data = join(this.#root, 'data');
  readonly #store = join(this.#root, 'store');
  readonly #roles = new Map<ControlRole, CliProcess>();

  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
    this.tunnel = new Tunnel(this.#store);
  }

  static async create(): Promise<FleetWorld> {
    return new FleetWorld(await freePort());
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Starts the recorder, again on the same address; resolves once its page can be had. */
  async startRecorder(more: readonly string[] = []): Promise<void> {
    const recorder = spawnCli([
      ...['record', '--json', '--data', this.#data, '--source', 'sim:?robots=3&imu_hz=50&camera_kb=16'],
      ...['--web-port', String(this.#port), '--web-port-tries', '1', '--no-foxglove'],
      ...['--segment-max-age-ms', '20s', ...more],
    ]);
    this.#roles.set('recorder', recorder);
    await recorder.waitFor(/dashboard/);
  }

  /** Long waits between tries: what the page's button does is not what would have happened anyway. */
  startSync(): void {
    this.#roles.set(
      'sync',
      spawnCli([
        ...['sync', '--json', '--data', this.#data, '--store', `dir:${this.#store}`],
        ...['--idle-probe', '1s', '--backoff-first', '60s', '--backoff-max', '60s', '--backoff-jitter', '0'],
      ]),
    );
  }

  /** Ends a role as a power cut would. */
  async kill(role: ControlRole): Promise<void> {
    const { child, ended } = present(this.#roles.get(role));
    child.kill('SIGKILL');
    await ended;
    this.#roles.delete(role);
  }

  recorder(): Promise<RecorderStatus> {
    return askRole(this.#data, 'recorder', 'status') as Promise<RecorderStatus>;
  }

  sync(): Promise<SyncStatus> {
    return askRole(this.#data, 'sync', 'status') as Promise<SyncStatus>;
  }

  /** Marked events as they are on the disk. */
  async marks(): Promise<MarkedEvent[]> {
    const { events } = dataFolder(this.#data);
    const ids = await listEvents(fs, events);
    const found = await Promise.all(ids.map((id) => readEvent(fs, events, id)));
    return found.filter((event) => event !== undefined);
  }

  writeTokens(text: string): string {
    const path = join(this.#root, 'tokens');
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#roles.keys()].map((role) => this.kill(role)));
    rmSync(this.#root, { recursive: true, force: true });
  }
}
