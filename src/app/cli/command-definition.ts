import type { Command } from 'commander';
import type { Logger } from '../../core/logger.js';
import type { Resolved } from '../parameters/resolve.js';
import type { Role } from '../parameters/parameter.js';
import type { ParameterName } from '../parameters/parameter-table.js';
import type { SystemPorts } from '../system/ports.js';
import type { StopSignals } from './stop-signals.js';
import type { Terminal } from './terminal.js';

/** What a command leaves behind: its exit code, and the object `--json` prints as the last line. */
export interface CommandResult {
  readonly exitCode: number;
  readonly json: Readonly<Record<string, unknown>>;
}

/** One run of a command. */
export interface Invocation {
  /** Positional arguments. */
  readonly args: readonly string[];
  /** The command's own options (not those of the parameter table). */
  readonly options: Readonly<Record<string, unknown>>;
  readonly json: boolean;
  /** Parameters for a role: flags over file over defaults. Faults are inside, for the compiler to report. */
  resolve(role: Role): Resolved;
  /** The flags as given, to hand them on to a child process. */
  readonly flags: Readonly<Partial<Record<ParameterName, unknown>>>;
  readonly configPath: string | undefined;
  readonly terminal: Terminal;
  readonly logger: Logger;
  readonly ports: SystemPorts;
  readonly stop: StopSignals;
  /** Started by `holdfast up`, which reports for it and whose end ends it. */
  readonly supervised: boolean;
  /** For people only: one line on standard output, nothing with `--json`. */
  say(line: string): Promise<void>;
}

/** A command: its place in the help, its flags, and what it does. */
export interface CommandDefinition {
  readonly name: string;
  readonly summary: string;
  /** Paragraphs of `--help`. */
  readonly description: string;
  /** Command lines with a word on each. */
  readonly examples: readonly (readonly [line: string, about: string])[];
  /** Parameters it takes as flags. */
  readonly parameters: readonly ParameterName[];
  /** For the two long-running processes: whose section of the file counts; the name in log lines. */
  readonly role?: Role;
  /** Adds arguments and options of its own. */
  configure?(command: Command): void;
  run(invocation: Invocation): Promise<CommandResult>;
}
