import { defined } from '../../../core/defined.js';
import { isHoldfastError } from '../../../core/errors.js';
import type { RecorderStatus, SyncStatus } from '../../../core/status.js';
import { askRole } from '../../control/control-client.js';
import { readStoppedWal, type StoppedWal } from '../../../recorder/stopped-wal.js';
import { controlRoles, type ControlRole } from '../../../recorder/control-protocol.js';
import { configInvalid } from '../../../settings/fault.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { printableJson } from '../../../core/unseen-text.js';
import { printable } from '../../../host/human.js';
import { describeRecorder, describeStoppedWal, describeSync } from '../describe-status.js';

/** The status of both processes; `undefined` for one that is not running. */
interface BothStatuses {
  readonly recorder?: RecorderStatus;
  readonly sync?: SyncStatus;
  /** Only without a recorder, whose status says more. */
  readonly wal?: StoppedWal;
}

export const statusCommand: CommandDefinition = {
  name: 'status',
  summary: 'show the status of the recorder and sync of a data folder',
  description:
    'Asks the recorder and the sync process of a data folder for their status: rates, durable ' +
    'messages, the loss window, waiting uploads and the link. If one of the two does not run, the ' +
    'output says so. For a recorder that does not run, it shows how many segments wait in wal/, and the names ' +
    'of the keys that encrypt them (encryption.at_rest_key). The command works with a full or read-only disk.',
  examples: [
    ['holdfast status --data rec', 'once'],
    ['holdfast status --data rec --watch', 'repeatedly, until Ctrl-C'],
    ['holdfast status --data rec --json | jq .recorder.lossWindow', 'for scripts'],
  ],
  parameters: ['data', 'log.level', 'log.format'],
  configure(command) {
    command
      .option('--watch', 'repeat until interrupted')
      .option('--interval <seconds>', 'time between updates with --watch', '1');
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
    const answers = await askBoth(values.data, invocation);
    await show(invocation, answers);
    return result(answers.statuses);
  },
};

interface Answers {
  readonly statuses: BothStatuses;
  /** Why a role gave no status, one sentence each. */
  readonly absent: Readonly<Partial<Record<ControlRole, string>>>;
}

async function askBoth(data: string, { ports }: Invocation): Promise<Answers> {
  const statuses: Partial<Record<ControlRole, unknown>> = {};
  const absent: Partial<Record<ControlRole, string>> = {};
  await Promise.all(
    controlRoles.map(async (role) => {
      try {
        statuses[role] = await askRole(data, role, 'status');
      } catch (error) {
        if (!isHoldfastError(error, 'ROLE_NOT_RUNNING')) throw error;
        const distrust = error.facts['distrust'];
        absent[role] =
          `not running on ${data}${typeof distrust === 'string' ? `; not asked: ${distrust}` : ''}`;
      }
    }),
  );
  const wal = statuses.recorder === undefined ? { wal: await readStoppedWal(ports.fs, data) } : {};
  return { statuses: { ...(statuses as BothStatuses), ...wal }, absent };
}

async function show(invocation: Invocation, { statuses, absent }: Answers): Promise<void> {
  const { recorder, sync, wal } = statuses;
  const nowMs = Number(invocation.ports.clock.now() / 1_000_000n);
  const lines = [
    ...(recorder ? describeRecorder(recorder, nowMs) : [`recorder   ${printable(absent.recorder ?? '')}`]),
    ...(wal ? describeStoppedWal(wal) : []),
    '',
    ...(sync ? describeSync(sync, nowMs) : [`sync       ${printable(absent.sync ?? '')}`]),
  ];
  for (const line of lines) await invocation.say(line);
}

async function watch(invocation: Invocation, data: string, intervalMs: number): Promise<CommandResult> {
  const { stop, terminal, ports } = invocation;
  let statuses: BothStatuses = {};
  while (!stop.signal.aborted && !terminal.closed.aborted) {
    const answers = await askBoth(data, invocation);
    ({ statuses } = answers);
    if (invocation.json) await terminal.out(printableJson(JSON.stringify(statuses)));
    else {
      // On a terminal from the top, elsewhere one report below the other.
      if (terminal.isLive) await terminal.out('\u001b[2J\u001b[H');
      await show(invocation, answers);
    }
    await ports.clock.sleep(intervalMs, stop.signal).catch(() => {});
  }
  return { ...result(statuses), exitCode: exitCodes.ok };
}

function result(statuses: BothStatuses): CommandResult {
  const { recorder, sync, wal } = statuses;
  return {
    exitCode: recorder === undefined && sync === undefined ? exitCodes.findings : exitCodes.ok,
    json: { ok: true, recorder: recorder ?? null, sync: sync ?? null, ...defined({ wal }) },
  };
}
