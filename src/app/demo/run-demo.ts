import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecorderStatus, SyncStatus } from '../../core/status.js';
import type { FleetLedger } from '../../sources/sim/fleet-ledger.js';
import { openStore } from '../../stores/open-store.js';
import type { Terminal } from '../../host/terminal.js';
import { askRole } from '../control/control-client.js';
import { FilePool } from '../../recordings/file-readable.js';
import { verify } from '../../recordings/verify.js';
import type { SystemPorts } from '../../host/ports.js';
import { balance } from './account.js';
import { phaseAt, planDemo, type DemoPlan } from './demo-plan.js';
import type { DemoEvent, DemoResult } from './demo-result.js';
import { DemoView } from './demo-view.js';
import { Fleet } from './fleet-child.js';
import { judge } from './judge.js';
import { Roles } from './roles.js';
import { takeCensus } from './store-census.js';
import { Tunnel } from './tunnel.js';

export interface DemoOptions {
  readonly durationMs: number;
  readonly robots: number;
  /** Keep the recording when it is over. */
  readonly keep: boolean;
  /** No live view. */
  readonly quiet: boolean;
  readonly seed: number;
  readonly signal: AbortSignal;
}

const TICK_MS = 200;

/**
 * The whole product in one run: a fleet that numbers its messages, a recorder and a sync process, a store
 * that becomes unreachable, a kill -9 of each, and finally a look-up of every number in the store.
 */
export async function runDemo(
  options: DemoOptions,
  terminal: Terminal,
  ports: SystemPorts,
): Promise<DemoResult> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  const demo = new Demo(options, folder, terminal, ports);
  try {
    const result = await demo.run();
    if (!result.kept) await rm(folder, { recursive: true, force: true });
    return result;
  } finally {
    await demo.close();
  }
}

class Demo {
  readonly #plan: DemoPlan;
  readonly #view: DemoView;
  readonly #events: DemoEvent[] = [];
  readonly #tunnel: Tunnel;
  readonly #roles: Roles;
  #fleet: Fleet | undefined;
  #startedAt = 0n;
  #unreachableSince = 0;
  #unreachableMs = 0;
  #syncKillArmed = true;

  readonly #options: DemoOptions;
  readonly #folder: string;
  readonly #ports: SystemPorts;

  constructor(options: DemoOptions, folder: string, terminal: Terminal, ports: SystemPorts) {
    this.#options = options;
    this.#folder = folder;
    this.#ports = ports;
    this.#plan = planDemo(options.durationMs);
    this.#view = new DemoView(terminal, options.quiet);
    this.#tunnel = new Tunnel(this.#storePath);
    this.#roles = new Roles(this.#dataPath, `dir:${this.#storePath}`, this.#plan);
  }

  async run(): Promise<DemoResult> {
    await mkdir(this.#storePath);
    this.#fleet = await Fleet.start(this.#options.robots, this.#options.seed);
    this.#roles.startSync();
    this.#roles.startRecorder(this.#fleet.uri);
    await this.#fleet.connected(this.#options.signal, () => this.#roles.assertRunning());
    this.#startedAt = this.#ports.clock.monotonic();
    this.#tell('the fleet drives off; recorder and sync run');
    while (this.#elapsedMs < this.#plan.durationMs) {
      this.#options.signal.throwIfAborted();
      this.#roles.assertRunning();
      await this.#step();
      await this.#ports.clock.sleep(TICK_MS, this.#options.signal);
    }
    return this.#finish(this.#fleet);
  }

  async close(): Promise<void> {
    await this.#roles.killAll();
    await this.#fleet?.kill();
  }

  get #storePath(): string {
    return join(this.#folder, 'store');
  }

  get #dataPath(): string {
    return join(this.#folder, 'data');
  }

  get #elapsedMs(): number {
    return Number(this.#ports.clock.monotonic() - this.#startedAt) / 1e6;
  }

  #tell(what: string): void {
    const atMs = this.#elapsedMs;
    this.#events.push({ atMs, what });
    this.#view.event(`  ${(atMs / 1000).toFixed(1).padStart(6)} s  ${what}`);
  }

  /** Checks everything once and starts what is due by the plan. */
  async #step(): Promise<void> {
    const plan = this.#plan;
    const tunnel = this.#tunnel;
    const roles = this.#roles;
    const elapsedMs = this.#elapsedMs;
    const [recorder, sync, ledger] = await Promise.all([
      this.#ask<RecorderStatus>('recorder'),
      this.#ask<SyncStatus>('sync'),
      this.#fleet?.ledger(),
    ]);
    roles.note(recorder, sync);
    this.#view.show({
      elapsedMs,
      durationMs: plan.durationMs,
      phase: phaseAt(plan, elapsedMs),
      sent: ledger?.produced ?? 0,
      recorder,
      sync,
      reachable: !tunnel.inside,
    });
    if (!tunnel.inside && elapsedMs >= plan.tunnelFromMs && elapsedMs < plan.tunnelToMs) {
      await tunnel.enter();
      this.#unreachableSince = elapsedMs;
      this.#tell('into the tunnel: the store is out of reach');
    }
    if (tunnel.inside && elapsedMs >= plan.tunnelToMs) await this.#leaveTunnel();
    if (roles.recorderKills === 0 && elapsedMs >= plan.recorderKillMs) void this.#killRecorder();
    if (this.#syncKillArmed && elapsedMs >= plan.syncKillFromMs && midUpload(sync)) void this.#killSync(sync);
  }

  async #leaveTunnel(): Promise<void> {
    await this.#tunnel.leave();
    this.#unreachableMs += this.#elapsedMs - this.#unreachableSince;
    this.#tell('out of the tunnel: the store is back');
  }

  async #killRecorder(): Promise<void> {
    const killed = this.#roles.killRecorder();
    this.#tell('kill -9 of the recorder');
    await killed;
    await this.#ports.clock.sleep(this.#plan.restartAfterMs);
    this.#roles.startRecorder((this.#fleet as Fleet).uri);
    this.#tell('the recorder is started again and recovers');
  }

  async #killSync(sync: SyncStatus | undefined): Promise<void> {
    this.#syncKillArmed = false;
    const killed = this.#roles.killSync();
    const percent = Math.round((sync?.current?.progress ?? 0) * 100);
    this.#tell(`kill -9 of sync, ${percent} % into an upload of ${sync?.current?.robot ?? ''}`);
    await killed;
    await this.#ports.clock.sleep(this.#plan.restartAfterMs);
    this.#roles.startSync();
    this.#tell('sync is started again and resumes');
  }

  async #ask<T>(role: 'recorder' | 'sync'): Promise<T | undefined> {
    // A dead process has no status, and the view shows that.
    return (await askRole(this.#dataPath, role, 'status', { timeoutMs: 2_000 }).catch(() => undefined)) as
      T | undefined;
  }

  async #finish(fleet: Fleet): Promise<DemoResult> {
    if (this.#tunnel.inside) await this.#leaveTunnel();
    const ledger = await fleet.stop();
    this.#tell('the fleet stops; the rest is committed, sealed and uploaded');
    const recorded = await this.#roles.recorderResult();
    this.#tell('the recorder has sealed everything and ended');
    await this.#lateSyncKill();
    const drained = await this.#roles.drainSync();
    this.#tell('sync has verified everything in the store');
    return this.#verdict(ledger, recorded, drained);
  }

  /** On a fast disk, there may have been no upload under way until now. */
  async #lateSyncKill(): Promise<void> {
    const giveUpAt = this.#elapsedMs + 10_000;
    while (this.#syncKillArmed && this.#elapsedMs < giveUpAt) {
      const sync = await this.#ask<SyncStatus>('sync');
      this.#roles.note(undefined, sync);
      if (midUpload(sync)) await this.#killSync(sync);
      else if (sync?.segments.pending === 0) return;
      else await this.#ports.clock.sleep(50);
    }
  }

  async #verdict(
    ledger: FleetLedger,
    recorded: Record<string, unknown>,
    drained: Record<string, unknown>,
  ): Promise<DemoResult> {
    const { fs, clock, random } = this.#ports;
    await using store = await openStore(`dir:${this.#storePath}`, {}, { fileSystem: fs, clock, random });
    await using files = new FilePool(fs);
    const verification = await verify({ kind: 'store', store }, { files });
    const census = await takeCensus(store);
    this.#tell(`every object was read back: ${census.messages.toLocaleString('en')} messages`);
    return judge({
      account: balance(ledger, census),
      census,
      verification,
      recorded,
      drained,
      roles: this.#roles,
      plan: this.#plan,
      unreachableMs: this.#unreachableMs,
      events: this.#events,
      data: this.#dataPath,
      store: this.#storePath,
      keep: this.#options.keep,
    });
  }
}

function midUpload(sync: SyncStatus | undefined): boolean {
  const progress = sync?.current?.progress ?? 0;
  return progress > 0.1 && progress < 0.95;
}
