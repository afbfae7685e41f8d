import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { CommanderError, type Command } from 'commander';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { Logger, LogLevel } from '../../core/logger.js';
import { readConfigFile, type ConfigFile } from '../parameters/config-file.js';
import { configInvalid } from '../parameters/fault.js';
import type { ParameterValues } from '../parameters/parameter-table.js';
import { resolve } from '../parameters/resolve.js';
import { systemPorts } from '../system/ports.js';
import { createStreamLogger } from '../system/stream-logger.js';
import type { CommandDefinition, CommandResult, Invocation } from './command-definition.js';
import { exitCodeOf, exitCodes } from './exit-code.js';
import { parameterFlags } from './parameter-flags.js';
import { buildProgram } from './program.js';
import type { StopSignals } from './stop-signals.js';
import type { Terminal } from './terminal.js';

/** What the process gives a command line. */
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
  if (wantsJson) await terminal.out(JSON.stringify(result.json, jsonSafe));
  return result.exitCode;
}

async function runCommand(
  definition: CommandDefinition,
  command: Command,
  { terminal, stop }: CliPorts,
): Promise<CommandResult> {
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
    resolve: (role) => resolve(role, file, flags),
    say: async (line) => {
      if (!json) await terminal.out(line);
    },
  };
  try {
    return await definition.run(invocation);
  } catch (error) {
    // A command that a signal cut short reports the signal, as a shell expects.
    if (stop.exitCode === undefined || error !== stop.signal.reason) throw error;
    return { exitCode: stop.exitCode, json: { ok: false, interrupted: true } };
  }
}

async function loadConfig(path: string): Promise<ConfigFile> {
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
 * Standard error for every command; a file as well for the two long-running processes. Faults of the
 * configuration are the command's to report; until then its defaults serve.
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
      ...(role === undefined ? {} : { role }),
      nowMs: Date.now,
      write: (line) => terminal.note(line),
    });
  if (role === undefined)
    return { logger: streamLogger(values['log.level']), async [Symbol.asyncDispose]() {} };
  const { openProcessLog } = await import('../monitoring/process-log.js');
  const logger = openProcessLog(role, values, streamLogger('debug'));
  return { logger, [Symbol.asyncDispose]: () => logger[Symbol.asyncDispose]() };
}

/** For a person: the code, the message, its causes; the stack only for what is a bug. */
export function explain(error: unknown): string {
  if (isHoldfastError(error)) return `${error.code}: ${describeError(error)}`;
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

/** Nanosecond times are decimal strings in JSON, as in every format of the product. */
function jsonSafe(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
