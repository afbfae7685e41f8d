import type { Migration } from '../migrate.js';

/** Samples that robots removed because their outbox was full; they are filled in from uploaded segments. */
export const holesMigration: Omit<Migration, 'number'> = {
  name: 'holes of the history',
  sql: `
CREATE TABLE holes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  robot text NOT NULL,
  run numeric(20) NOT NULL,
  first_tick integer NOT NULL,
  ticks integer NOT NULL CHECK (ticks > 0),
  -- Of the first tick, on the clock of the robot.
  at timestamptz NOT NULL,
  tick_ns bigint NOT NULL,
  -- What the robot sampled, in the order of its catalogue.
  fields jsonb NOT NULL,
  -- Ticks that are in the history, or at which the recordings say that there is nothing.
  settled int4multirange NOT NULL DEFAULT '{}',
  -- New samples that came from segments.
  filled bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'filled', 'lost')),
  noted_at timestamptz NOT NULL,
  look_at timestamptz NOT NULL,
  UNIQUE (robot, run, first_tick)
);
CREATE INDEX holes_open ON holes (look_at) WHERE state = 'open';
`,
};
