import type { Command } from 'commander';
import type { Logger } from '../../core/logger.js';
import type { Resolved } from '../../settings/resolve.js';
import type { Role } from '../../settings/parameter.js';
import type { ParameterName } from '../../settings/parameter-table.js';
import type { SystemPorts } from '../../host/ports.js';
import type { ShownDefaults } from './parameter-flags.js';
import type { StopSignals } from './stop-signals.js';
import type { Terminal } from '../../host/terminal.js';

/** The result of a command: its exit code, and the object that `--json` prints as the last line. */
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
  /**
   * Parameters for a role: flags override the file, which overrides defaults. Faults are inside; the compiler
   * reports them.
   */
  resolve(role: Role): Resolved;
  /** The flags as given, for passing them to a child process. */
  readonly flags: Readonly<Partial<Record<ParameterName, unknown>>>;
  readonly configPath: string | undefined;
  readonly terminal: Terminal;
  readonly logger: Logger;
  readonly ports: SystemPorts;
  readonly stop: StopSignals;
  /** Started by `holdfast up`, which reports for it; it ends when `holdfast up` ends. */
  readonly supervised: boolean;
  /** The whole command line: every command with its flags. */
  readonly program: Command;
  /** For people only: one line on standard output, nothing with `--json`. */
  say(line: string): Promise<void>;
}

/** A command: its place in the help, its flags, and what it does. */
export interface CommandDefinition {
  readonly name: string;
  readonly summary: string;
  /** Paragraphs of `--help`. */
  readonly description: string;
  /** Command lines, each with an explanation. */
  readonly examples: readonly (readonly [line: string, about: string])[];
  /** Its parameters that are flags. */
  readonly parameters: readonly ParameterName[];
  /** Defaults of these that only this command has. */
  readonly defaults?: ShownDefaults;
  /** For the two long-running processes: whose section of the file applies; the name in log lines. */
  readonly role?: Role;
  /** Adds its own arguments and options. */
  configure?(command: Command): void;
  run(invocation: Invocation): Promise<CommandResult>;
}
