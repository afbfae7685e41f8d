import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isHoldfastError } from '../../../core/errors.js';
import { smallEnvironment, smallNodeFlags } from '../../../core/node-flags.js';
import type { RecorderStatus, SyncStatus } from '../../../core/status.js';
import { askRole } from '../../control/control-client.js';
import type { ControlRole } from '../../../recorder/control-protocol.js';
import { configInvalid, type ConfigFault } from '../../../settings/fault.js';
import { compileMonitoringOptions } from '../../monitoring/monitoring-options.js';
import type { Role } from '../../../settings/parameter.js';
import { parameterNames, parameterNamesFor } from '../../../settings/parameter-table.js';
import { supervise, type SuperviseResult } from '../../supervise/supervise.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { recorderLine, reportLive, syncLine } from '../live-report.js';
import { prepareRecorder } from '../../setup/prepare-recorder.js';
import { prepareSync } from '../../setup/prepare-sync.js';
import { flagArguments } from '../parameter-flags.js';
import { announceReady } from '../service-ready.js';

export const upCommand: CommandDefinition = {
  name: 'up',
  summary: 'record and sync, both supervised',
  description:
    'Runs record and sync as two processes on one data folder. If one of them dies, the command ' +
    'restarts it with growing delays, and the other continues. The command exits when all sources are ' +
    'finite and done and every segment is verified in the store, or on SIGINT or SIGTERM. The ' +
    'recorder drains first, then sync ends (with --drain, when every segment is verified). A second ' +
    'signal ends both at once.',
  examples: [
    ['holdfast up --source foxglove:ws://localhost:8765 --data rec --store s3://recordings', 'on a robot'],
    [
      'holdfast up --source mcap:my_bag --data rec --store dir:/mnt/nas',
      'upload a recording to a store, then exit',
    ],
    ['holdfast up --config /etc/holdfast.yaml', 'as a service'],
  ],
  parameters: parameterNames,
  configure(command) {
    command
      .option(
        '--drain',
        'when the recorder has ended, wait until every segment is verified (default: for finite sources)',
      )
      .option('--no-drain', 'end sync with the recorder; the next run uploads the remaining segments');
  },
  async run(invocation) {
    const { data, isFinite, isSmall } = await check(invocation);
    const { options, logger, ports, terminal, stop } = invocation;
    using _report = reportLive(invocation, () => describeBoth(data));
    // The two end by themselves in time.
    stop.endWithin(undefined);
    using _service = announceReady(invocation, data, 'recorder');
    const result = await supervise({
      data,
      recorder: () => childCommand('record', 'recorder', invocation, []),
      sync: (drain) => childCommand('sync', 'sync', invocation, drain ? ['--drain'] : []),
      drain: (options['drain'] as boolean | undefined) ?? isFinite,
      drainWhenStopped: options['drain'] === true,
      signal: stop.signal,
      clock: ports.clock,
      logger,
      onLog: (text) => terminal.note(text),
      environment: isSmall ? smallEnvironment : {},
    });
    return await report(result, invocation);
  },
};

interface Checked {
  readonly data: string;
  readonly isFinite: boolean;
  /** With `profile: small`. */
  readonly isSmall: boolean;
}

/** Reports everything that would make a child refuse to start, for both together. */
async function check(invocation: Invocation): Promise<Checked> {
  const faults: ConfigFault[] = [];
  const collect = (error: unknown): void => {
    if (!isHoldfastError(error, 'CONFIG_INVALID')) throw error;
    const found = error.facts['faults'] as readonly ConfigFault[];
    const isNew = (fault: ConfigFault): boolean =>
      !faults.some(({ where, path }) => where === fault.where && path === fault.path);
    faults.push(...found.filter(isNew));
  };
  let isFinite = false;
  try {
    const resolved = invocation.resolve('recorder');
    const { inputs } = await prepareRecorder(resolved, invocation.ports);
    compileMonitoringOptions(resolved);
    isFinite = inputs.every(({ source }) => source.supports.finite);
  } catch (error) {
    collect(error);
  }
  const resolved = invocation.resolve('sync');
  try {
    const setup = await prepareSync(resolved, invocation.ports);
    await setup[Symbol.asyncDispose]();
  } catch (error) {
    collect(error);
  }
  if (faults.length > 0) throw configInvalid(faults);
  const { data, profile } = invocation.resolve('recorder').values;
  if (data !== resolved.values.data) {
    const allowed = `allowed: the same data folder for both (recorder: ${data})`;
    throw configInvalid([
      { where: resolved.origin.data, path: 'data', value: resolved.values.data, allowed },
    ]);
  }
  return { data, isFinite, isSmall: profile === 'small' };
}

/** The same program with the flags for the role. */
function childCommand(
  command: string,
  role: Role,
  invocation: Invocation,
  more: readonly string[],
): string[] {
  const { flags, configPath } = invocation;
  const main = fileURLToPath(new URL(`../../main${extname(import.meta.url)}`, import.meta.url));
  return [
    ...process.execArgv,
    ...(invocation.resolve(role).values.profile === 'small' ? smallNodeFlags : []),
    main,
    command,
    '--json',
    ...(configPath === undefined ? [] : [`--config=${configPath}`]),
    ...flagArguments(flags, parameterNamesFor(role)),
    ...more,
  ];
}

async function describeBoth(data: string): Promise<string> {
  const ask = <T>(role: ControlRole): Promise<T | undefined> =>
    askRole(data, role, 'status', { timeoutMs: 1_000 }).then(
      (status) => status as T,
      () => undefined, // shown as such
    );
  const [recorder, sync] = await Promise.all([ask<RecorderStatus>('recorder'), ask<SyncStatus>('sync')]);
  return `${recorder ? recorderLine(recorder) : 'recorder not running'} || ${sync ? syncLine(sync) : 'sync not running'}`;
}

async function report({ recorder, sync }: SuperviseResult, invocation: Invocation): Promise<CommandResult> {
  const exitCode = recorder.exitCode !== 0 ? recorder.exitCode : sync.exitCode;
  const durable = recorder.result?.['durable'] as number | undefined;
  const verified = (sync.result?.['segments'] as { verified?: number } | undefined)?.verified;
  await invocation.say(
    `recorder ended with ${recorder.exitCode} (${String(durable ?? 'no')} messages durable, ` +
      `${recorder.restarts} restarts), sync with ${sync.exitCode} (${String(verified ?? 'no')} segments ` +
      `verified, ${sync.restarts} restarts)`,
  );
  return { exitCode, json: { ok: exitCode === 0, recorder, sync } };
}
