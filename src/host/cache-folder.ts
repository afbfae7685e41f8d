import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * The folder of this user's caches: `$XDG_CACHE_HOME/holdfast`, otherwise `~/.cache/holdfast` (XDG base
 * directories).
 */
export function userCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const given = env['XDG_CACHE_HOME'];
  // The specification says to ignore a relative path.
  const base = given !== undefined && isAbsolute(given) ? given : join(homedir(), '.cache');
  return join(base, 'holdfast');
}
