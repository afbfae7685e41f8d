import { ROS_ABSENT, ROS_FIELDS } from '../../core/documents/described.js';
import { recorderStatusSchema, topicStatsSchema } from '../../core/status-schema.js';
import { syncStatusSchema } from '../../core/sync-status-schema.js';
import { codeCell, GENERATED_NOTE, textCell } from './markdown.js';

type JsonSchema = Readonly<Record<string, unknown>>;

const intro = `# Status

${GENERATED_NOTE}

What recorder and sync say about themselves: \`holdfast status --json\`, \`GET /status\` ([HTTP API](http-api.md)) and the
topics of the [ROS nodes](ros-nodes.md). Times are decimal nanoseconds since the Unix epoch. A member with a question mark may
be absent; \`[]\` marks the members of each entry of a list. The last column is the field of the ROS message, if there is
one; the fields of a list of messages are those of \`RobotStatus\`, \`AnomalyRuleStatus\` or \`SinkStatus\`. While a member is
absent, its field is zero, empty or false, or the number that stands behind it.

While no recorder runs, \`holdfast status --json\` has the member \`wal\` instead of the recorder's status: \`segments\` in \`wal/\`,
how many of them are \`unencrypted\`, the \`atRestKeyNames\` that encrypt the others, that of the newest segment first, and
\`problems\` (segments of which this cannot be read).
`;

const tables = [
  ['Recorder', 'RecorderStatus', recorderStatusSchema],
  ['Sync', 'SyncStatus', syncStatusSchema],
  ['Topics', 'TopicStats', topicStatsSchema],
] as const;

/** The content of docs/status.md. */
export function renderStatusDoc(): string {
  const sections = tables.map(([title, message, schema]) => {
    const head = `## ${title}\n\nROS message: \`holdfast/msg/${message}\`.\n`;
    const rows = ['| member | type | meaning | field |', '| --- | --- | --- | --- |', ...rowsOf(schema, '')];
    return `${head}\n${rows.join('\n')}\n`;
  });
  return [intro, ...sections].join('\n');
}

function rowsOf(schema: JsonSchema, at: string): string[] {
  const required = schema['required'] as readonly string[];
  return Object.entries(schema['properties'] as Readonly<Record<string, JsonSchema>>).flatMap(
    ([name, member]) => {
      const path = `${at}${name}${required.includes(name) ? '' : '?'}`;
      const items = member['items'] as JsonSchema | undefined;
      const meaning = textCell((member['description'] ?? '') as string);
      const fields = ((member[ROS_FIELDS] ?? []) as readonly string[]).map((field) => field.split(' ')[1]!);
      const absent = member[ROS_ABSENT] as number | undefined;
      const shown = fields.map(codeCell).join(', ') + (absent === undefined ? '' : `, or ${absent}`);
      const row = `| ${codeCell(path)} | ${typeOf(member)} | ${meaning} | ${shown} |`;
      if (member['properties']) return [row, ...rowsOf(member, `${at}${name}.`)];
      return items?.['properties'] ? [row, ...rowsOf(items, `${at}${name}[].`)] : [row];
    },
  );
}

function typeOf(schema: JsonSchema): string {
  if (schema['const'] !== undefined) return codeCell(schema['const'] as string);
  if (schema['enum']) return (schema['enum'] as readonly string[]).map(codeCell).join(', ');
  const items = schema['items'] as JsonSchema | undefined;
  if (items) return `list of ${items['properties'] ? 'objects' : `${typeOf(items)}s`}`;
  if (schema['pattern']) return 'time';
  return String(schema['type']);
}
