import { demoReport } from '../../demo/demo-report.js';
import { DEMO_MAX_MS, DEMO_MIN_MS } from '../../demo/demo-plan.js';
import { configInvalid } from '../../../settings/fault.js';
import { parseDurationMs } from '../../../settings/units.js';
import type { CommandDefinition } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';

const ROBOTS_MAX = 20;

export const demoCommand: CommandDefinition = {
  name: 'demo',
  summary: 'a simulated fleet, recorded and synced through kills and a tunnel',
  description:
    'Starts three processes: a fleet of simulated robots that number their messages, a recorder, and ' +
    'sync. The store is unreachable for a third of the time. The demo kills the recorder with SIGKILL ' +
    'once, and sync once in the middle of an upload. Then it looks up every message number in the ' +
    'store: sent = durable + dropped + lost in the kill + missed while down. It exits with 1 if a ' +
    'message is unaccounted for. It needs no ROS and no server.',
  examples: [
    ['holdfast demo', 'one minute, three robots'],
    ['holdfast demo --for 20s --keep', 'shorter, and keep the recording'],
    ['holdfast demo --robots 10 --json', 'a larger fleet, and a machine-readable result'],
  ],
  parameters: ['log.level', 'log.format'],
  configure(command) {
    command
      .option('--for <duration>', 'how long the fleet drives, 8s to 24h', '60s')
      .option('--robots <count>', `how many robots, 1 to ${ROBOTS_MAX}`, '3')
      .option('--seed <number>', 'seed of the simulated drive', '1')
      .option('--keep', 'keep the recording and print its path');
  },
  async run(invocation) {
    const { options, terminal, ports, stop } = invocation;
    const durationMs = parseDurationMs(String(options['for']));
    const robots = Number(options['robots']);
    const seed = Number(options['seed']);
    const fault = (path: string, allowed: string) => ({
      where: `--${path}`,
      path,
      value: options[path],
      allowed: `allowed: ${allowed}`,
    });
    const faults = [
      ...(durationMs !== undefined && durationMs >= DEMO_MIN_MS && durationMs <= DEMO_MAX_MS
        ? []
        : [fault('for', '8s to 24h')]),
      ...(Number.isInteger(robots) && robots >= 1 && robots <= ROBOTS_MAX
        ? []
        : [fault('robots', `1 to ${ROBOTS_MAX}`)]),
      ...(Number.isInteger(seed) && seed >= 0 ? [] : [fault('seed', 'a whole number from 0')]),
    ];
    if (faults.length > 0 || durationMs === undefined) throw configInvalid(faults);
    const { runDemo } = await import('../../demo/run-demo.js');
    const result = await runDemo(
      {
        durationMs,
        robots,
        seed,
        keep: options['keep'] === true,
        quiet: invocation.json,
        signal: stop.signal,
      },
      terminal,
      ports,
    );
    for (const line of demoReport(result)) await invocation.say(line);
    return { exitCode: result.ok ? exitCodes.ok : exitCodes.failed, json: { ...result } };
  },
};
