import type { Migration } from '../migrate.js';

/** VINs in manifests: a catalogue that was rebuilt knows the robots of a vehicle without any uplink. */
export const vinsMigration: Omit<Migration, 'number'> = {
  name: 'VINs of recordings',
  sql: `
-- Empty: the manifest has none.
ALTER TABLE recordings ADD COLUMN vin text NOT NULL DEFAULT '';
CREATE INDEX recordings_vin ON recordings (vin, first_at DESC NULLS LAST, recording DESC) WHERE vin <> '';
-- The robots that recorded with a VIN: few rows, so that a search by VIN need not look through the recordings.
CREATE TABLE robot_vins (
  vin text NOT NULL,
  robot text NOT NULL,
  PRIMARY KEY (vin, robot)
);
CREATE OR REPLACE FUNCTION robots_named(name text) RETURNS text[] LANGUAGE sql STABLE AS
  $$SELECT ARRAY(
    SELECT f.robot FROM holdfast.fleet f WHERE f.vin = name AND name <> ''
    UNION SELECT v.robot FROM holdfast.robot_vins v WHERE v.vin = name AND name <> ''
  ) || name$$;
`,
};
