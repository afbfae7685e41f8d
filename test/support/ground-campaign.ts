import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GroundFleet } from '../../src/app/demo/ground/ground-fleet.js';
import { judgeGround, type GroundVerdict } from '../../src/app/demo/ground/judge-ground.js';
import { defined } from '../../src/core/defined.js';
import { Random } from '../../src/core/random.js';
import { systemPorts } from '../../src/host/ports.js';
import { silentLogger } from '../../src/core/logger.js';
import { systemClock } from '../../src/host/system-clock.js';
import { clockFlags } from './clock-flags.js';
import { SharedServers } from './shared-servers.js';

export interface GroundCampaignOptions {
  /** Two processes on an external PostgreSQL and NATS instead of one with a database of its own. */
  readonly isShared?: boolean;
  readonly robots: number;
  /** Kills of robots, the ground, its database and NATS together. */
  readonly kills: number;
  /** Same seed, same kills (as far as a machine repeats itself). */
  readonly seed: number;
  readonly onKill?: (done: number, what: string) => void;
}

export interface GroundCampaignResult extends GroundVerdict {
  readonly kills: Readonly<Record<Victim, number>>;
  /** Values that were compared. */
  readonly compared: number;
}

type Victim = 'robot' | 'ground' | 'database' | 'nats';

const SEGMENT_MAX_AGE_MS = 3_000;
/** Robots do not know the time: so many hours they are ahead, one after another. */
const AHEAD_HOURS = [7, -5, 0, -31] as const;

const clocks = {
  aheadNs: (index: number): bigint => BigInt(aheadMs(index)) * 1_000_000n,
  nodeFlags: (index: number): readonly string[] => clockFlags(aheadMs(index)),
};

function aheadMs(index: number): number {
  return (AHEAD_HOURS[index % AHEAD_HOURS.length] ?? 0) * 3_600_000;
}

/**
 * Kills robots, whose clocks are hours off, the ground, its database and NATS with SIGKILL at random moments, and cuts
 * links, again and again. Then all end as they should, and every sample of the ground is compared with the recordings,
 * and its roll-ups with the samples.
 */
export async function runGroundCampaign(options: GroundCampaignOptions): Promise<GroundCampaignResult> {
  const { robots, kills, seed, onKill, isShared = false } = options;
  const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-ground-kills-'));
  const ports = systemPorts(silentLogger);
  const { signal } = new AbortController();
  const random = new Random(seed);
  const counts: Record<Victim, number> = { robot: 0, ground: 0, database: 0, nats: 0 };
  let isGood = false;
  try {
    await using servers = isShared ? await SharedServers.start() : undefined;
    const settings = { segmentMaxAgeMs: SEGMENT_MAX_AGE_MS, clocks, ...defined({ shared: servers?.ground }) };
    await using fleet = new GroundFleet(folder, settings, ports);
    await fleet.start(robots, signal);
    for (let done = 0; done < kills; done++) {
      // From the first instants of a start to some seconds later.
      await systemClock.sleep(random.unit() < 0.3 ? 150 + random.unit() * 350 : 500 + random.unit() * 2_500);
      const robot = Math.floor(random.unit() * robots);
      if (random.unit() < 0.4) fleet.tunnel(robot).cut();
      const what = await kill({ fleet, servers, random, robot, signal });
      counts[what]++;
      onKill?.(done + 1, what);
      if (random.unit() < 0.6) for (let i = 0; i < robots; i++) fleet.tunnel(i).mend();
      fleet.assertRunning();
    }
    for (let i = 0; i < robots; i++) fleet.tunnel(i).mend();
    await fleet.drained(signal);
    await fleet.stop();
    const verdict = await judgeGround(fleet, ports);
    isGood = verdict.ok;
    return {
      ...verdict,
      kills: counts,
      compared: verdict.fields.reduce((sum, one) => sum + one.compared, 0),
    };
  } finally {
    // Of a failure everything is kept.
    if (isGood) await fs.rm(folder, { recursive: true, force: true });
    else console.log(`      kept ${folder}`);
  }
}

interface Kill {
  readonly fleet: GroundFleet;
  readonly servers: SharedServers | undefined;
  readonly random: Random;
  readonly robot: number;
  readonly signal: AbortSignal;
}

async function kill({ fleet, servers, random, robot, signal }: Kill): Promise<Victim> {
  const chance = random.unit();
  const downMs = random.unit() * 1_500;
  const down = (): Promise<void> => systemClock.sleep(downMs);
  const process = Math.floor(random.unit() * fleet.processes);
  if (chance < (servers ? 0.3 : 0.45)) {
    await fleet.killRobot(robot);
    await down();
    fleet.startRobot(robot);
    return 'robot';
  }
  if (chance < (servers ? 0.6 : 0.75)) {
    await fleet.killGround(process);
    await down();
    await fleet.startGround(signal, process);
    return 'ground';
  }
  if (servers === undefined) {
    await fleet.killDatabase();
    return 'database';
  }
  const [server, victim] =
    chance < 0.8 ? [servers.postgres, 'database' as const] : [servers.nats, 'nats' as const];
  await server.kill();
  await down();
  await server.run();
  return victim;
}
