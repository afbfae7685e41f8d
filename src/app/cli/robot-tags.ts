import { HoldfastError } from '../../core/errors.js';
import type { Tags } from '../../core/tags.js';
import { exitCodes } from '../../host/exit-code.js';
import type { CommandResult, Invocation } from './command-definition.js';
import { groundClient } from './ground-client.js';
import { parseTagChanges, sayTags } from './tag-changes.js';

/** The robot answers the ground within 30 s. */
const TIMEOUT_MS = 35_000;

/**
 * Shows the tags of a robot, or sets some, through a running ground. Throws `CONFIG_INVALID` for what is no tag,
 * `STATE_REFUSED` if the robot has not told its tags, and the errors of {@link groundClient}.
 */
export async function robotTags(
  robot: string,
  words: readonly string[],
  invocation: Invocation,
): Promise<CommandResult> {
  const changes = parseTagChanges(words);
  const { ask } = await groundClient(invocation, {
    ...{ url: 'url', tokenFile: 'tokenFile', timeoutMs: TIMEOUT_MS },
  });
  const path = `api/robots/${encodeURIComponent(robot)}`;
  const tags =
    words.length === 0
      ? ((await ask('GET', path)) as { tags: Tags | null }).tags
      : ((await ask('POST', `${path}/control/set_tags`, { tags: changes })) as { tags: Tags }).tags;
  if (tags === null)
    throw new HoldfastError('STATE_REFUSED', `the ground does not know the tags of ${robot}`, {
      facts: { robot },
    });
  await sayTags(tags, invocation);
  return { exitCode: exitCodes.ok, json: { ok: true, robot, tags } };
}
