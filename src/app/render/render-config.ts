import type { RawValue, Role } from '../../settings/parameter.js';
import { parameterNamed, parameterNames, type ParameterName } from '../../settings/parameter-table.js';
import { present } from '../../core/present.js';

const WIDTH = 100;

const head = `# Holdfast's parameters with their defaults, in the form of a ROS 2 params file.
# Use: holdfast record --config holdfast.yaml; flags win over this file, this file over the defaults.
# Sizes take KB, MB, GB (decimal) and KiB, MiB, GiB; times ms, s, min, h, d; rates MB/s. A line that is
# commented out has no default.
# Generated from the parameter table: change that, then run node bin/generate-docs.mjs.
`;

const sections: readonly { readonly title: string; readonly role: Role | 'both'; readonly about: string }[] =
  [
    { title: '/**', role: 'both', about: 'Read by both processes.' },
    {
      title: '/**/holdfast_recorder',
      role: 'recorder',
      about: 'The recorder, in any namespace: from sources to sealed segments.',
    },
    {
      title: '/**/holdfast_sync',
      role: 'sync',
      about: 'Sync, in any namespace: from sealed segments to the store.',
    },
  ];

/** The content of config/holdfast.yaml. */
export function renderConfig(): string {
  const lines = [head];
  for (const { title, role, about } of sections) {
    lines.push(`# ${about}`, `${title}:`, '  ros__parameters:');
    const names = parameterNames.filter((one) => parameterNamed(one).role === role);
    let group = '';
    for (const name of names) {
      const [prefix, leaf] = name.includes('.') ? (name.split('.') as [string, string]) : ['', name];
      // A group with only comments would be null; its parameters keep their full names.
      const isGroup = names.some((one) => one.startsWith(`${prefix}.`) && isSet(one));
      if (isGroup && prefix !== group) lines.push(`    ${prefix}:`);
      group = prefix;
      lines.push(...(isGroup ? row(name, leaf, '      ') : row(name, name, '    ')));
    }
    lines.push('');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function isSet(name: ParameterName): boolean {
  const value = parameterNamed(name).default;
  return value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);
}

function row(name: ParameterName, leaf: string, indent: string): string[] {
  const parameter = parameterNamed(name);
  const comment = `${parameter.description} Allowed: ${parameter.allowed}.`;
  const value = parameter.default;
  const assignment = isSet(name)
    ? `${leaf}: ${yaml(present(value))}`
    : `# ${leaf}: ${parameter.list ? '[]' : "''"}`;
  return [
    ...wrap(comment, WIDTH - indent.length - 2).map((line) => `${indent}# ${line}`),
    indent + assignment,
  ];
}

function yaml(value: RawValue): string {
  return typeof value === 'string' && !/^[A-Za-z0-9][\w/-]*$/.test(value)
    ? JSON.stringify(value)
    : String(value);
}

/** Lines of at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
