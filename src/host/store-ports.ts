import type { Clock } from '../core/clock.js';
import type { FileSystem } from '../core/file-system.js';
import type { RandomBytes } from '../core/identity.js';

/** The ports of stores, with the environment in which a store's client finds its credentials. */
export function storePorts(
  { fs, clock, random }: { readonly fs: FileSystem; readonly clock: Clock; readonly random: RandomBytes },
  environment: NodeJS.ProcessEnv = process.env,
): {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly environment: NodeJS.ProcessEnv;
} {
  return { fileSystem: fs, clock, random, environment };
}
