import type { Migration } from '../migrate.js';

/** Robots, people and epochs, for grounds of several processes. */
export const registryMigration: Omit<Migration, 'number'> = {
  name: 'registry',
  sql: `
CREATE TABLE tokens (
  kind text NOT NULL CHECK (kind IN ('robot', 'user')),
  name text NOT NULL,
  -- Of a person; empty for a robot.
  role text NOT NULL CHECK (CASE kind WHEN 'robot' THEN role = '' ELSE role IN ('viewer', 'operator', 'admin') END),
  -- Of the token; the token itself is not kept.
  sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  since timestamptz NOT NULL,
  -- A row stays, so that an old file is never imported again.
  revoked_at timestamptz,
  PRIMARY KEY (kind, name)
);
-- The newest epoch of each robot: a process whose connection has an earlier one ends it.
CREATE TABLE epochs (
  robot text PRIMARY KEY,
  epoch bigint NOT NULL CHECK (epoch > 0)
);
`,
};
