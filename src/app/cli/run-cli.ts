import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { CommanderError, type Command } from 'commander';
import { defined } from '../../core/defined.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import { printableJson, printableLines } from '../../core/unseen-text.js';
import type { Logger, LogLevel } from '../../core/logger.js';
import type { ConfigFile } from '../../settings/config-file.js';
import { configInvalid } from '../../settings/fault.js';
import type { ParameterValues } from '../../settings/parameter-table.js';
import { resolve } from '../../settings/resolve.js';
import { systemPorts } from '../../host/ports.js';
import { createStreamLogger } from '../../host/stream-logger.js';
import type { CommandDefinition, CommandResult, Invocation } from './command-definition.js';
import { exitCodeOf, exitCodes } from '../../host/exit-code.js';
import { parameterFlags } from './parameter-flags.js';
import { buildProgram } from './program.js';
import type { StopSignals } from './stop-signals.js';
import type { Terminal } from '../../host/terminal.js';

/**
 * How long a command may take to end after a signal. A command that needs longer sets its own limit; all
 * others leave nothing incomplete behind, whenever they end.
 */
const STOP_GRACE_MS = 4_000;

/** What the process provides to a command line. */
export interface CliPorts {
  readonly terminal: Terminal;
  readonly stop: StopSignals;
}

/** Runs one command line (without node and script) and returns its exit code. Never rejects. */
export async function runCli(argv: readonly string[], ports: CliPorts): Promise<number> {
  const { terminal } = ports;
  let result: CommandResult | undefined;
  const program = buildProgram((definition, command) =>
    runCommand(definition, command, ports).then((one) => {
      result = one;
    }),
  );
  let wantsJson = argv.includes('--json');
  try {
    program.configureOutput({
      writeOut: (text) => void terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.note(text),
    });
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) wantsJson = false;
    else if (!(error instanceof CommanderError)) terminal.note(`holdfast: ${explain(error)}\n`);
    result = failure(error);
  }
  result ??= { exitCode: exitCodes.ok, json: {} };
  if (wantsJson) await terminal.out(printableJson(JSON.stringify(result.json, jsonSafe)));
  return result.exitCode;
}

async function runCommand(
  definition: CommandDefinition,
  command: Command,
  { terminal, stop }: CliPorts,
): Promise<CommandResult> {
  stop.endWithin(STOP_GRACE_MS);
  const flags = parameterFlags(command, definition.parameters);
  const options = command.opts<Record<string, unknown>>();
  const json = options['json'] === true;
  const configPath = options['config'] as string | undefined;
  const file = configPath === undefined ? undefined : await loadConfig(configPath);
  await using log = await openLog(
    definition,
    resolve(definition.role ?? 'recorder', file, flags).values,
    terminal,
  );
  const { logger } = log;
  const invocation: Invocation = {
    args: command.args,
    options,
    json,
    flags,
    configPath,
    terminal,
    logger,
    stop,
    supervised: process.channel !== undefined,
    ports: systemPorts(logger),
    program: command.parent ?? command,
    resolve: (role) => resolve(role, file, flags),
    say: async (line) => {
      if (!json) await terminal.out(printableLines(line));
    },
  };
  try {
    return await definition.run(invocation);
  } catch (error) {
    // After a signal, the exit code reports the signal, as shells expect.
    if (stop.exitCode === undefined || error !== stop.signal.reason) throw error;
    return { exitCode: stop.exitCode, json: { ok: false, interrupted: true } };
  }
}

async function loadConfig(path: string): Promise<ConfigFile> {
  // Most commands have no such file, and the package for YAML takes a sixth of their start.
  const { readConfigFile } = await import('../../settings/config-file.js');
  try {
    return readConfigFile(await readFile(path, 'utf8'), basename(path));
  } catch (error) {
    throw configInvalid([
      {
        where: '--config',
        path,
        value: undefined,
        allowed: `a file that can be read (${describeError(error)})`,
      },
    ]);
  }
}

/**
 * Standard error for every command; also a file for the two long-running processes. The command reports
 * faults of the configuration; until then, its defaults apply.
 */
async function openLog(
  { role }: CommandDefinition,
  values: ParameterValues,
  terminal: Terminal,
): Promise<AsyncDisposable & { readonly logger: Logger }> {
  const streamLogger = (level: LogLevel): Logger =>
    createStreamLogger({
      level,
      format: values['log.format'],
      ...defined({ role }),
      nowMs: Date.now,
      write: (line) => terminal.note(line),
    });
  if (role === undefined)
    return { logger: streamLogger(values['log.level']), async [Symbol.asyncDispose]() {} };
  const { openProcessLog } = await import('../monitoring/process-log.js');
  const logger = openProcessLog(role, values, streamLogger('debug'));
  return { logger, [Symbol.asyncDispose]: () => logger[Symbol.asyncDispose]() };
}

/** For a person: the code, the message, its causes; the stack only for a bug. */
export function explain(error: unknown): string {
  // Names in it come from outside; only its own line ends stay.
  if (isHoldfastError(error)) return printableLines(`${error.code}: ${describeError(error)}`);
  return error instanceof Error ? (error.stack ?? describeError(error)) : String(error);
}

function failure(error: unknown): CommandResult {
  if (error instanceof CommanderError) {
    const ok = error.exitCode === 0;
    const json = { ok, error: { code: 'CONFIG_INVALID', message: error.message } };
    return { exitCode: ok ? exitCodes.ok : exitCodes.usage, json: ok ? { ok } : json };
  }
  const known = isHoldfastError(error);
  const details = {
    code: known ? error.code : 'INTERNAL',
    message: describeError(error),
    ...(known ? { facts: error.facts, retryable: error.retryable } : {}),
  };
  return { exitCode: exitCodeOf(error), json: { ok: false, error: details } };
}

/** Nanosecond times are decimal strings in JSON, as in every format of Holdfast. */
function jsonSafe(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
