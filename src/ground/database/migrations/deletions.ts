import type { Migration } from '../migrate.js';

/** What was deleted on request: samples of these times are not stored again. */
export const deletionsMigration: Omit<Migration, 'number'> = {
  name: 'deleted times',
  sql: `
CREATE TABLE deleted_times (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  robot text NOT NULL,
  -- Both included, on the clock of the robot.
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  -- Patterns of LIKE; null: all topics.
  topics text[],
  -- Id of the plan, which the receipt repeats.
  plan text NOT NULL,
  who text NOT NULL,
  reason text NOT NULL,
  deleted_at timestamptz NOT NULL,
  -- What was removed, in all attempts.
  samples bigint NOT NULL DEFAULT 0,
  events bigint NOT NULL DEFAULT 0,
  recordings bigint NOT NULL DEFAULT 0,
  UNIQUE (plan, first_at)
);
CREATE INDEX deleted_times_robot ON deleted_times (robot, last_at);
`,
};
