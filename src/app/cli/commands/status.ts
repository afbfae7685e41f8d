import { isHoldfastError } from '../../../core/errors.js';
import type { RecorderStatus, SyncStatus } from '../../../core/status.js';
import { askRole } from '../../control/control-client.js';
import { controlRoles } from '../../control/control-protocol.js';
import { configInvalid } from '../../parameters/fault.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { describeRecorder, describeSync } from '../describe-status.js';

/** What both processes say; `undefined` for the one that is not running. */
interface BothStatuses {
  readonly recorder?: RecorderStatus;
  readonly sync?: SyncStatus;
}

export const statusCommand: CommandDefinition = {
  name: 'status',
  summary: 'what recorder and sync of a data folder are doing',
  description:
    'Asks the recorder and the sync process of a data folder how they are: rates, what is durable, the ' +
    'loss window, what waits to be uploaded, the link. Says which of the two is not running. Works with a ' +
    'full or read-only disk.',
  examples: [
    ['holdfast status --data rec', 'once'],
    ['holdfast status --data rec --watch', 'again and again, until Ctrl-C'],
    ['holdfast status --data rec --json | jq .recorder.lossWindow', 'for scripts'],
  ],
  parameters: ['data', 'log.level', 'log.format'],
  configure(command) {
    command
      .option('--watch', 'repeat until interrupted')
      .option('--interval <seconds>', 'time between looks with --watch', '1');
  },
  async run(invocation) {
    const { values, faults } = invocation.resolve('recorder');
    if (faults.length > 0) throw configInvalid(faults);
    const intervalMs = Number(invocation.options['interval']) * 1_000;
    if (!(intervalMs >= 100 && intervalMs <= 3_600_000)) {
      const allowed = 'allowed: 0.1 to 3600';
      throw configInvalid([
        { where: '--interval', path: 'interval', value: invocation.options['interval'], allowed },
      ]);
    }
    if (invocation.options['watch'] === true) return watch(invocation, values.data, intervalMs);
    const statuses = await askBoth(values.data);
    await show(invocation, values.data, statuses);
    return result(statuses);
  },
};

async function askBoth(data: string): Promise<BothStatuses> {
  const answers = await Promise.all(
    controlRoles.map(async (role) => {
      try {
        return [role, await askRole(data, role, 'status')] as const;
      } catch (error) {
        if (isHoldfastError(error, 'ROLE_NOT_RUNNING')) return [role, undefined] as const;
        throw error;
      }
    }),
  );
  return Object.fromEntries(answers.filter(([, status]) => status !== undefined)) as BothStatuses;
}

async function show(invocation: Invocation, data: string, { recorder, sync }: BothStatuses): Promise<void> {
  const nowMs = Number(invocation.ports.clock.now() / 1_000_000n);
  const lines = [
    ...(recorder ? describeRecorder(recorder, nowMs) : [`recorder   not running on ${data}`]),
    '',
    ...(sync ? describeSync(sync, nowMs) : [`sync       not running on ${data}`]),
  ];
  for (const line of lines) await invocation.say(line);
}

async function watch(invocation: Invocation, data: string, intervalMs: number): Promise<CommandResult> {
  const { stop, terminal, ports } = invocation;
  let statuses: BothStatuses = {};
  while (!stop.signal.aborted && !terminal.closed.aborted) {
    statuses = await askBoth(data);
    if (invocation.json) await terminal.out(JSON.stringify(statuses));
    else {
      // From the top on a terminal, one report below the other elsewhere.
      if (terminal.isLive) await terminal.out('\u001b[2J\u001b[H');
      await show(invocation, data, statuses);
    }
    await ports.clock.sleep(intervalMs, stop.signal).catch(() => {});
  }
  return { ...result(statuses), exitCode: exitCodes.ok };
}

function result(statuses: BothStatuses): CommandResult {
  const { recorder, sync } = statuses;
  return {
    exitCode: recorder === undefined && sync === undefined ? exitCodes.findings : exitCodes.ok,
    json: { ok: true, recorder: recorder ?? null, sync: sync ?? null },
  };
}
