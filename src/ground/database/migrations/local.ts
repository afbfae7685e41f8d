import type { Migration } from '../migrate.js';

/** Recordings that lie on a robot only. */
export const localMigration: Omit<Migration, 'number'> = {
  name: 'recordings on robots',
  sql: `
ALTER TABLE recordings DROP CONSTRAINT recordings_state_check;
ALTER TABLE recordings ADD CONSTRAINT recordings_state_check
  CHECK (state IN ('stored', 'evicted', 'missing', 'local'));
`,
};
