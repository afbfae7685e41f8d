import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where this user's caches lie: `$XDG_CACHE_HOME/holdfast`, else `~/.cache/holdfast` (XDG base directories). */
export function userCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const given = env['XDG_CACHE_HOME'];
  // A relative path is to be ignored, says the specification.
  const base = given !== undefined && isAbsolute(given) ? given : join(homedir(), '.cache');
  return join(base, 'holdfast');
}
