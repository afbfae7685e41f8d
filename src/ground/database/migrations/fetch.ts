import type { Migration } from '../migrate.js';

/** Requests for segments of robots, and what the robots say about them. */
export const fetchMigration: Omit<Migration, 'number'> = {
  name: 'requests for segments',
  sql: `
CREATE TABLE fetch_requests (
  id text PRIMARY KEY,
  robot text NOT NULL,
  -- The request as the robot gets it; its times are exact.
  request jsonb NOT NULL,
  -- The way to the robot: its uplink, or objects in the stores.
  via text NOT NULL CHECK (via IN ('uplink', 'store')),
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  state text NOT NULL,
  -- Of the ground, beside those of the robot.
  reason text NOT NULL DEFAULT '',
  -- What each place of the robot said last.
  answers jsonb NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX fetch_requests_open ON fetch_requests (robot) WHERE ended_at IS NULL;
CREATE INDEX fetch_requests_newest ON fetch_requests (created_at DESC, id);
`,
};
