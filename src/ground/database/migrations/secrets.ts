import type { Migration } from '../migrate.js';

/** Keys that all processes of a ground share. */
export const secretsMigration: Omit<Migration, 'number'> = {
  name: 'shared keys',
  sql: `
CREATE TABLE secrets (
  name text PRIMARY KEY,
  -- Hexadecimal digits.
  secret text NOT NULL
);
`,
};
