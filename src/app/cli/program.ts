import { Command } from 'commander';
import { version } from '../../host/version.js';
import type { CommandDefinition } from './command-definition.js';
import { commands } from './commands.js';
import { exitCodeMeanings } from '../../host/exit-code.js';
import { addParameterFlags } from './parameter-flags.js';

const HELP_WIDTH_MAX = 110;

/** The command line: every command with its flags. `run` is called for the chosen one. */
export function buildProgram(
  run: (definition: CommandDefinition, command: Command) => Promise<void>,
): Command {
  // Absent if the output is not a terminal.
  const columns = process.stdout.columns as number | undefined;
  const program = new Command('holdfast')
    .description(
      'Records every topic of a robot or fleet, keeps it through crashes, power cuts and dead zones, and ' +
        'moves it to your own storage when there is a link.',
    )
    .version(version, '-V, --version', 'print the version')
    .configureHelp({
      helpWidth: Math.min(columns ?? HELP_WIDTH_MAX, HELP_WIDTH_MAX),
    })
    .showHelpAfterError('(run holdfast <command> --help for its options)')
    .addHelpText('after', overview())
    .exitOverride();
  for (const definition of commands) program.addCommand(buildCommand(definition, program, run));
  return program;
}

function buildCommand(
  definition: CommandDefinition,
  program: Command,
  run: (definition: CommandDefinition, command: Command) => Promise<void>,
): Command {
  const command = new Command(definition.name)
    .copyInheritedSettings(program)
    .summary(definition.summary)
    .description(definition.description)
    .helpOption('-h, --help', 'print this help')
    .exitOverride();
  definition.configure?.(command);
  addParameterFlags(command, definition.parameters, definition.defaults);
  command
    .optionsGroup('General:')
    .option('--config <file>', 'parameters as a ROS params file (see config/holdfast.yaml)')
    .option('--json', 'print the result as one JSON object, the last line of standard output')
    .addHelpText('after', examples(definition))
    .action(() => run(definition, command));
  return command;
}

function examples({ examples: list }: CommandDefinition): string {
  const lines = list.map(([line, about]) => `  # ${about}\n  ${line}\n`);
  return `\nExamples:\n${lines.join('\n')}`;
}

function overview(): string {
  const codes = exitCodeMeanings.map(([code, meaning]) => `  ${code.padEnd(9)} ${meaning}`);
  return `
Start here:
  holdfast demo                                              a simulated fleet, killed and brought back
  holdfast record --source mcap:my_bag --data rec            record (a bag, sim:, foxglove:ws://...)
  holdfast sync --data rec --store dir:/mnt/nas/rec --drain  move it to a store, verified
  holdfast up --source sim: --data rec --store s3://bucket   both, supervised

Exit codes:
${codes.join('\n')}

Parameters, errors and formats are described in docs/.`;
}
