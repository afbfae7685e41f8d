import { flagName, type Parameter, type Role } from '../../settings/parameter.js';
import { parameterNamed, parameterNames } from '../../settings/parameter-table.js';
import { codeCell, GENERATED_NOTE, textCell } from './markdown.js';

const intro = `# Parameters

${GENERATED_NOTE}

One table is behind the configuration file, the command line flags and these pages. A flag wins over the
file, the file over the default. Everything wrong with a configuration is reported at once, each with the
place, the value and what is allowed; a name that does not exist is an error.

A file (\`--config FILE\`) has the form of a ROS 2 params file, see [config/holdfast.yaml](../config/holdfast.yaml):

\`\`\`yaml
/**:
  ros__parameters:
    data: /var/lib/holdfast
/**/holdfast_recorder:
  ros__parameters:
    sources: ['@namespace=foxglove:ws://localhost:8765']
    rules: ['/camera/ priority=low policy=drop-oldest queue=32MiB']
    segment: { max_bytes: 128MiB, max_age_ms: 5min }
/**/holdfast_sync:
  ros__parameters:
    store: { uri: 's3://recordings/fleet-a' }
    upload: { bandwidth_limit: 25MB/s }
\`\`\`

Sizes are bytes or take KB, MB, GB (decimal) and KiB, MiB, GiB (binary); times are milliseconds or take ms,
s, min, h, d; rates are bytes per second and may end in \`/s\`.
`;

/** The content of docs/parameters.md. */
export function renderParametersDoc(): string {
  return [
    intro,
    section('Both processes', 'both'),
    section('Recorder (`holdfast_recorder`)', 'recorder'),
    section('Sync (`holdfast_sync`)', 'sync'),
  ].join('\n');
}

function section(title: string, role: Role | 'both'): string {
  const rows = parameterNames
    .filter((name) => parameterNamed(name).role === role)
    .map((name) => tableRow(name, parameterNamed(name)));
  const head = '| parameter | flag | default | allowed | what it does |\n| --- | --- | --- | --- | --- |';
  return `## ${title}\n\n${head}\n${rows.join('\n')}\n`;
}

function tableRow(name: string, parameter: Parameter): string {
  const { default: standard, unit } = parameter;
  const empty =
    standard === undefined || standard === '' || (Array.isArray(standard) && standard.length === 0);
  const flag = `--${flagName(name, parameter)}`;
  const allowed = unit ? `${parameter.allowed} (${unit})` : parameter.allowed;
  const cells = [
    codeCell(name),
    codeCell(parameter.toggle ? `${flag}, --no-${flag.slice(2)}` : `${flag} <${parameter.placeholder}>`),
    empty ? '' : codeCell(String(standard)),
    textCell(allowed),
    textCell(parameter.description),
  ];
  return `| ${cells.join(' | ')} |`;
}
