import { parseTag, TAG_FORM, type TagChanges, type Tags } from '../../core/tags.js';
import { printable } from '../../host/human.js';
import { configInvalid } from '../../settings/fault.js';
import type { Invocation } from './command-definition.js';

/** The words NAME=VALUE of a command line. Throws `CONFIG_INVALID` with all faults. */
export function parseTagChanges(
  args: readonly string[],
  earlier: Parameters<typeof configInvalid>[0] = [],
): TagChanges {
  const faults = [...earlier];
  const changes = args.map((text) => {
    const tag = parseTag(text);
    if (tag === undefined)
      faults.push({ where: 'tag', path: 'tags', value: text, allowed: `allowed: ${TAG_FORM}` });
    return tag ?? (['', ''] as const);
  });
  if (faults.length > 0) throw configInvalid(faults);
  return Object.fromEntries(changes);
}

/** One line for each tag. */
export async function sayTags(tags: Tags, invocation: Pick<Invocation, 'say'>): Promise<void> {
  const lines = Object.entries(tags).map(([name, value]) => `${name}=${value}`);
  for (const line of lines.length === 0 ? ['no tags'] : lines) await invocation.say(printable(line));
}
