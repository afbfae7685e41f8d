import type { Migration } from '../migrate.js';

/** Clocks of robots may be hours off: the age of what waits on a robot is right after a restart, too. */
export const clocksMigration: Omit<Migration, 'number'> = {
  name: 'clocks of robots',
  sql: `
-- How far the clock of the robot was behind that of the ground, seconds; negative: ahead, null: unknown.
ALTER TABLE fleet ADD COLUMN clock_behind_s double precision;
`,
};
