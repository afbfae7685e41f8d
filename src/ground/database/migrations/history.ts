import type { Migration } from '../migrate.js';

const rollUp = (name: string): string => `
CREATE TABLE ${name} (
  field integer NOT NULL,
  at timestamptz NOT NULL,
  count integer NOT NULL,
  min double precision NOT NULL,
  max double precision NOT NULL,
  sum double precision NOT NULL,
  -- Of circular fields: sums of sine and cosine of the angle.
  sum_sin double precision NOT NULL,
  sum_cos double precision NOT NULL,
  last double precision NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (field, at)
) PARTITION BY RANGE (at);`;

/** Samples by month and field, and what they roll up to. Months are created when they are needed. */
export const historyMigration: Omit<Migration, 'number'> = {
  name: 'history',
  sql: `
CREATE TABLE fields (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  robot text NOT NULL,
  topic text NOT NULL,
  path text NOT NULL,
  unit text NOT NULL,
  -- A stored value is within this of the measured one.
  threshold double precision NOT NULL,
  -- Time between two samples.
  period_ns bigint NOT NULL,
  -- Circular fields: one turn and the smallest value; 0 and 0: not circular.
  turn double precision NOT NULL,
  lowest double precision NOT NULL,
  UNIQUE (robot, topic, path, unit, threshold, period_ns, turn, lowest)
);
CREATE TABLE runs (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  robot text NOT NULL,
  -- Random number of a run of the robot's process.
  run numeric(20) NOT NULL,
  UNIQUE (robot, run)
);
-- On the clock of the robot. A value that is NULL: the robot had none. No row: unknown.
CREATE TABLE samples (
  field integer NOT NULL,
  at timestamptz NOT NULL,
  run integer NOT NULL,
  tick integer NOT NULL,
  value double precision,
  PRIMARY KEY (field, at, run, tick)
) PARTITION BY RANGE (at);
${['samples_1s', 'samples_1min', 'samples_1h'].map(rollUp).join('')}`,
};
