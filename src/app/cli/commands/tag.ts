import type { RecorderStatus } from '../../../core/status.js';
import type { Tags } from '../../../core/tags.js';
import { exitCodes } from '../../../host/exit-code.js';
import { askRole } from '../../control/control-client.js';
import type { CommandDefinition } from '../command-definition.js';
import { parseTagChanges, sayTags } from '../tag-changes.js';

export const tagCommand: CommandDefinition = {
  name: 'tag',
  summary: 'show and set the tags of what is recorded now',
  description:
    'Sets tags such as mission, operator, site or task at the running recorder of a data folder. The open ' +
    'segment ends, and every segment from then on has the new tags in its manifest. They survive a restart of ' +
    'the recorder. NAME= removes a tag. Without an argument, the command shows the tags that hold.',
  examples: [
    ['holdfast tag mission=m3 operator=ada --data rec', 'set two tags; the others stay'],
    ['holdfast tag site= --data rec', 'remove one'],
    ['holdfast ls s3://recordings/fleet-a --tag mission=m3', 'what was recorded with it'],
  ],
  parameters: ['data', 'log.level', 'log.format'],
  configure(command) {
    command.argument('[tags...]', 'NAME=VALUE, or NAME= to remove it');
  },
  async run(invocation) {
    const { values, faults } = invocation.resolve('recorder');
    const changes = parseTagChanges(invocation.args, faults);
    const tags =
      Object.keys(changes).length === 0
        ? (((await askRole(values.data, 'recorder', 'status')) as RecorderStatus).tags ?? {})
        : (
            (await askRole(values.data, 'recorder', 'set_tags', { args: { tags: changes } })) as {
              tags: Tags;
            }
          ).tags;
    await sayTags(tags, invocation);
    return { exitCode: exitCodes.ok, json: { ok: true, tags } };
  },
};
