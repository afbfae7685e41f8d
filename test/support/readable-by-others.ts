import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);

/** Whether another user can read the compiled checkout: the folders above it may be closed. */
export function isReadableByOthers(): boolean {
  for (let at = self; at !== '/'; at = dirname(at)) {
    const { mode } = statSync(at);
    if ((mode & (at === self ? 0o004 : 0o001)) === 0) return false;
  }
  return true;
}
