import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const extension = extname(import.meta.url);
const beside = (name: string): string => fileURLToPath(new URL(`../${name}${extension}`, import.meta.url));

/** The CLI's entry, for child processes of the same kind as this one (built, or under a loader). */
export const mainScript: string = beside('main');

/** The simulated fleet's entry. */
export const fleetScript: string = beside('demo/fleet-process');

/** The entry of the process that runs SQL. */
export const queryScript: string = beside('cli/query-child');
