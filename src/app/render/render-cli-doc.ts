import type { Command, Option } from 'commander';
import { commands } from '../cli/commands.js';
import type { CommandDefinition } from '../cli/command-definition.js';
import { exitCodeMeanings } from '../../host/exit-code.js';
import { flagName } from '../../settings/parameter.js';
import { parameterNamed, parameterNames } from '../../settings/parameter-table.js';
import { buildProgram } from '../cli/program.js';
import { codeCell, GENERATED_NOTE, textCell } from './markdown.js';
import { present } from '../../core/present.js';

const intro = `# Command line

${GENERATED_NOTE}

In a checkout \`npm run --silent holdfast -- <command>\` runs it, building first where a source changed; after
an install it is \`npx holdfast <command>\`. \`holdfast <command> --help\` says all of this too.

Results go to standard output, logs and progress to standard error. Every command takes \`--json\`: then the
last line of standard output is one JSON object with the result (\`ok\`, and \`error\` with \`code\`, \`message\` and
\`facts\` where it failed). Times in it are decimal nanoseconds since the Unix epoch, as strings.
`;

const control = `## Steering a running process

Recorder and sync each listen on a Unix domain socket in \`holdfast-<uid>/\` of the temporary folder (mode 0700;
named after a hash of the data folder's real path, so it works when the data disk is full or read-only). One
JSON object per line each way:

\`\`\`
-> {"id":1,"request":"status"}
<- {"id":1,"ok":true,"result":{...}}
\`\`\`

Requests: \`status\` and \`end\` (both; \`end\` ends the process), \`start\`, \`stop\`, \`split\`, \`pause\`, \`resume\`,
\`mark_event\`, \`set_tags\`, \`topics\` (recorder), \`sync_now\`, \`drain\`, \`set_transform\` (sync). \`stop\` commits and seals and keeps the process and
its data folder; \`start\` continues with new connections. Messages that arrive while the recorder is paused are
counted as a gap. What is not possible at the moment is refused with \`STATE_REFUSED\` and the reason.

Some take arguments, all checked (\`REQUEST_INVALID\` names the one that is wrong): \`mark_event\` takes \`label\`
(1 to 200 characters), \`before_s\` and \`after_s\` (0 to 3,600; default 30); \`set_tags\` takes \`tags\`, values by name
(docs/tags.md); \`topics\` takes \`offset\` and \`limit\` (1 to 1,000); \`set_transform\` takes \`rules\`, all rules of
\`sync.transform\` (docs/transform.md).

\`\`\`
-> {"id":2,"request":"mark_event","args":{"label":"hit the kerb","before_s":60}}
\`\`\`
`;

/** The content of docs/cli.md. */
export function renderCliDoc(): string {
  const program = buildProgram(async () => {});
  const sections = commands.map((definition) => {
    const command = present(program.commands.find((one) => one.name() === definition.name));
    return commandSection(definition, command);
  });
  return [intro, exitCodesSection(), ...sections, control].join('\n');
}

function exitCodesSection(): string {
  const rows = exitCodeMeanings.map(([code, meaning]) => `| ${code} | ${textCell(meaning)} |`);
  return `## Exit codes\n\n| code | meaning |\n| --- | --- |\n${rows.join('\n')}\n`;
}

function commandSection(definition: CommandDefinition, command: Command): string {
  const { name, summary, description, examples } = definition;
  const own = command.options.filter((option) => !isParameter(option, definition) && !option.hidden);
  const rows = own.map((option) => `| ${codeCell(option.flags)} | ${textCell(describe(option))} |`);
  const lines = examples.map(([line, about]) => `# ${about}\n${line}`);
  const parameters = definition.parameters.length;
  const [usage] = [command.usage()];
  return [
    `## ${name}: ${textCell(summary)}`,
    `\`holdfast ${name} ${usage}\``,
    textCell(description),
    `\`\`\`sh\n${lines.join('\n\n')}\n\`\`\``,
    `| option | meaning |\n| --- | --- |\n${rows.join('\n')}`,
    `${parameters === parameterNames.length ? 'All' : `${parameters}`} [parameters](parameters.md) as flags: ` +
      `${definition.parameters.map((one) => `\`--${flagName(one, parameterNamed(one))}\``).join(', ')}.\n`,
  ].join('\n\n');
}

/** Of this command: another may have an option of its own with the name of a parameter. */
function isParameter(option: Option, { parameters }: CommandDefinition): boolean {
  const flags = parameters.map((name) => flagName(name, parameterNamed(name)));
  return flags.some((flag) => option.long === `--${flag}` || option.long === `--no-${flag}`);
}

function describe(option: Option): string {
  const value = option.defaultValue as string | number | boolean | undefined;
  return value === undefined ? option.description : `${option.description} (default: ${String(value)})`;
}
