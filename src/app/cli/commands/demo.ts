import { demoReport } from '../../demo/demo-report.js';
import { GROUND_DEMO_MAX_MS, GROUND_DEMO_MIN_MS } from '../../demo/ground/ground-demo-plan.js';
import { DEMO_MAX_MS, DEMO_MIN_MS } from '../../demo/demo-plan.js';
import { configInvalid } from '../../../settings/fault.js';
import { parseDurationMs } from '../../../settings/units.js';
import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';

const ROBOTS_MAX = 20;
/** Each vehicle of --ground is a process of its own. */
const GROUND_ROBOTS = 5;

export const demoCommand: CommandDefinition = {
  name: 'demo',
  summary: 'a simulated fleet, recorded and synced through kills and a tunnel',
  description:
    'Starts three processes: a fleet of simulated robots that number their messages, a recorder, and ' +
    'sync. The store is unreachable for a third of the time. The demo kills the recorder with SIGKILL ' +
    'once, and sync once in the middle of an upload. Then it looks up every message number in the ' +
    'store: sent = durable + dropped + lost in the kill + missed while down. It exits with 1 if a ' +
    'message is unaccounted for. It needs no ROS and no server.\n\nWith --ground, five vehicles drive with a ' +
    'ground service. Their links break in tunnels, and the demo kills robots, the ground and its database. Then ' +
    'it compares every sample of the ground with the recordings, and looks up every segment in the catalogue.',
  examples: [
    ['holdfast demo', 'one minute, three robots'],
    ['holdfast demo --for 20s --keep', 'shorter, and keep the recording'],
    ['holdfast demo --ground', 'a fleet with a ground: about a minute and a half'],
    ['holdfast demo --robots 10 --json', 'a larger fleet, and a machine-readable result'],
  ],
  parameters: ['log.level', 'log.format'],
  configure(command) {
    command
      .option('--ground', 'a fleet of vehicles with a ground service')
      .option('--for <duration>', 'how long the fleet drives, 8s to 24h; with --ground 10s to 1h', '60s')
      .option('--robots <count>', `how many robots, 1 to ${ROBOTS_MAX} (default: 3, with --ground 5)`)
      .option('--seed <number>', 'seed of the simulated drive', '1')
      .option('--keep', 'keep the recording and print its path');
  },
  async run(invocation) {
    const { options, terminal, ports, stop } = invocation;
    const durationMs = parseDurationMs(String(options['for']));
    const isGround = options['ground'] === true;
    const robots = Number(options['robots'] ?? (isGround ? GROUND_ROBOTS : 3));
    const range = isGround ? [GROUND_DEMO_MIN_MS, GROUND_DEMO_MAX_MS] : [DEMO_MIN_MS, DEMO_MAX_MS];
    const seed = Number(options['seed']);
    const fault = (path: string, allowed: string) => ({
      where: `--${path}`,
      path,
      value: options[path],
      allowed: `allowed: ${allowed}`,
    });
    const faults = [
      ...(durationMs !== undefined && durationMs >= range[0]! && durationMs <= range[1]!
        ? []
        : [fault('for', isGround ? '10s to 1h' : '8s to 24h')]),
      ...(Number.isInteger(robots) && robots >= 1 && robots <= ROBOTS_MAX
        ? []
        : [fault('robots', `1 to ${ROBOTS_MAX}`)]),
      ...(Number.isInteger(seed) && seed >= 0 ? [] : [fault('seed', 'a whole number from 0')]),
    ];
    if (faults.length > 0 || durationMs === undefined) throw configInvalid(faults);
    const common = {
      ...{ durationMs, robots, keep: options['keep'] === true },
      ...{ quiet: invocation.json, signal: stop.signal },
    };
    if (isGround) {
      const { runGroundDemo } = await import('../../demo/ground/run-ground-demo.js');
      const { groundDemoReport } = await import('../../demo/ground/ground-demo-report.js');
      const result = await runGroundDemo(common, terminal, ports);
      for (const line of groundDemoReport(result)) await invocation.say(line);
      return { exitCode: result.ok ? exitCodes.ok : exitCodes.failed, json: { ...result } };
    }
    const { runDemo } = await import('../../demo/run-demo.js');
    const result = await runDemo({ ...common, seed }, terminal, ports);
    for (const line of demoReport(result)) await invocation.say(line);
    return { exitCode: result.ok ? exitCodes.ok : exitCodes.failed, json: { ...result } };
  },
};
