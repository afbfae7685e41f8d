import type { Migration } from '../migrate.js';

/** The robots that have ever connected, and the alerts of the ground about them: a restart forgets neither. */
export const fleetMigration: Omit<Migration, 'number'> = {
  name: 'robots and their alerts',
  sql: `
CREATE TABLE fleet (
  robot text PRIMARY KEY,
  -- Empty: not a vehicle.
  vin text NOT NULL,
  version text NOT NULL,
  -- On the clock of the ground.
  heard_at timestamptz NOT NULL,
  -- As the API shows them; null: nothing was reported.
  status jsonb,
  alerts jsonb NOT NULL,
  position jsonb,
  reported_at timestamptz
);
CREATE INDEX fleet_vin ON fleet (vin) WHERE vin <> '';
CREATE TABLE fleet_alerts (
  robot text NOT NULL,
  alert text NOT NULL,
  raised boolean NOT NULL,
  since timestamptz NOT NULL,
  value double precision,
  -- What --alerts-webhook took last is that the alert was raised.
  told boolean NOT NULL,
  PRIMARY KEY (robot, alert)
);
`,
};
