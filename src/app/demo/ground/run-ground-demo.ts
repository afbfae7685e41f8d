import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SystemPorts } from '../../../host/ports.js';
import type { Terminal } from '../../../host/terminal.js';
import { GroundFleet } from './ground-fleet.js';
import { planGroundDemo, type GroundStep } from './ground-demo-plan.js';
import { judgeGround, type GroundVerdict } from './judge-ground.js';

export interface GroundDemoOptions {
  readonly durationMs: number;
  readonly robots: number;
  readonly keep: boolean;
  /** Says nothing while it runs. */
  readonly quiet: boolean;
  readonly signal: AbortSignal;
}

export interface GroundDemoResult extends GroundVerdict {
  readonly durationMs: number;
  readonly robots: readonly string[];
  readonly kills: { readonly robots: number; readonly ground: number; readonly database: number };
  readonly events: readonly { readonly atMs: number; readonly what: string }[];
  readonly folder: string;
  readonly kept: boolean;
}

/**
 * A fleet with a ground in one run: vehicles in tunnels, a kill -9 of robots, of the ground and of its database, and
 * finally every sample of the ground beside the recordings.
 */
export async function runGroundDemo(
  options: GroundDemoOptions,
  terminal: Terminal,
  ports: SystemPorts,
): Promise<GroundDemoResult> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-fleet-'));
  let kept = true;
  try {
    const result = await new GroundDemo(options, folder, terminal, ports).run();
    kept = result.kept;
    return result;
  } finally {
    if (!kept) await rm(folder, { recursive: true, force: true });
  }
}

class GroundDemo {
  readonly #events: { atMs: number; what: string }[] = [];
  readonly #kills = { robots: 0, ground: 0, database: 0 };
  readonly #options: GroundDemoOptions;
  readonly #folder: string;
  readonly #terminal: Terminal;
  readonly #ports: SystemPorts;
  #startedAt: bigint;

  constructor(options: GroundDemoOptions, folder: string, terminal: Terminal, ports: SystemPorts) {
    this.#options = options;
    this.#folder = folder;
    this.#terminal = terminal;
    this.#ports = ports;
    this.#startedAt = ports.clock.monotonic();
  }

  async run(): Promise<GroundDemoResult> {
    const { durationMs, robots, keep, signal } = this.#options;
    const { clock } = this.#ports;
    const segmentMaxAgeMs = Math.max(2_000, Math.min(10_000, durationMs / 6));
    await using fleet = new GroundFleet(this.#folder, { segmentMaxAgeMs }, this.#ports);
    await fleet.start(robots, signal);
    this.#startedAt = clock.monotonic();
    this.#tell(`${robots} vehicles drive off; watch them on ${fleet.url}/`);
    for (const { atMs, what } of planGroundDemo(durationMs, robots)) {
      await this.#sleepUntil(atMs, fleet);
      await this.#do(what, fleet);
    }
    await this.#sleepUntil(durationMs, fleet);
    await fleet.drained(signal);
    this.#tell('the ground has every sample that waited on the vehicles');
    await fleet.stop();
    this.#tell('the vehicles have stopped, and every segment is in the store');
    const verdict = await judgeGround(fleet, this.#ports);
    return {
      ...{ ...verdict, durationMs, robots: fleet.robots.map(({ name }) => name), kills: this.#kills },
      events: this.#events.map(({ atMs, what }) => ({ atMs: Math.round(atMs), what })),
      ...{ folder: this.#folder, kept: keep || !verdict.ok },
    };
  }

  async #sleepUntil(atMs: number, fleet: GroundFleet): Promise<void> {
    const { clock } = this.#ports;
    for (let left = atMs - this.#elapsedMs; left > 0; left = atMs - this.#elapsedMs) {
      fleet.assertRunning();
      await clock.sleep(Math.min(left, 500), this.#options.signal);
    }
  }

  async #do(what: GroundStep['what'], fleet: GroundFleet): Promise<void> {
    const name = 'robot' in what ? (fleet.robots[what.robot]?.name ?? '') : '';
    switch (what.kind) {
      case 'cut':
        fleet.tunnel(what.robot).cut();
        this.#tell(`${name} enters a tunnel: its link is gone`);
        break;
      case 'mend':
        fleet.tunnel(what.robot).mend();
        this.#tell(`${name} leaves the tunnel`);
        break;
      case 'kill-robot':
        this.#kills.robots++;
        this.#tell(`kill -9 of the recorder of ${name}`);
        await fleet.killRobot(what.robot);
        break;
      case 'start-robot':
        fleet.startRobot(what.robot);
        this.#tell(`the recorder of ${name} starts again`);
        break;
      case 'kill-ground':
        this.#kills.ground++;
        this.#tell('kill -9 of the ground');
        await fleet.killGround();
        break;
      case 'start-ground':
        await fleet.startGround(this.#options.signal);
        this.#tell('the ground serves again');
        break;
      case 'kill-database':
        if (await fleet.killDatabase()) this.#kills.database++;
        this.#tell('kill -9 of PostgreSQL; the ground starts it again');
        break;
    }
  }

  get #elapsedMs(): number {
    return Number(this.#ports.clock.monotonic() - this.#startedAt) / 1e6;
  }

  #tell(what: string): void {
    const atMs = this.#elapsedMs;
    this.#events.push({ atMs, what });
    if (!this.#options.quiet) this.#terminal.note(`  ${(atMs / 1000).toFixed(1).padStart(6)} s  ${what}\n`);
  }
}
