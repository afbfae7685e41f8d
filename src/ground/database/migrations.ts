import type { Migration } from './migrate.js';

/** Every step of the schema, in order. */
export const migrations: readonly Migration[] = [];
