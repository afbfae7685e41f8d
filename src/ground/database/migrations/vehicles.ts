import type { Migration } from '../migrate.js';

/**
 * A computer may move to another vehicle: each field and hole has the VIN that its samples were taken with, so that the
 * history of a VIN is that of one vehicle. Samples from before this step belong to the vehicle of their robot, if it
 * has been in one only.
 */
export const vehiclesMigration: Omit<Migration, 'number'> = {
  name: 'vehicles of the history',
  sql: `
-- Empty: the robot did not know it.
ALTER TABLE fields ADD COLUMN vin text NOT NULL DEFAULT '';
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = 'holdfast.fields'::regclass AND contype = 'u' LOOP
    EXECUTE format('ALTER TABLE holdfast.fields DROP CONSTRAINT %I', name);
  END LOOP;
END $$;
ALTER TABLE fields ADD CONSTRAINT fields_once
  UNIQUE (robot, vin, topic, path, unit, threshold, period_ns, turn, lowest);
CREATE INDEX fields_vin ON fields (vin, robot) WHERE vin <> '';
ALTER TABLE holes ADD COLUMN vin text NOT NULL DEFAULT '';
CREATE INDEX robot_vins_robot ON robot_vins (robot);
-- Which robots have been in which vehicles, by what they said and by the manifests.
CREATE VIEW vehicles AS
  SELECT robot, vin FROM fleet WHERE vin <> ''
  UNION SELECT robot, vin FROM robot_vins
  UNION SELECT robot, vin FROM fields WHERE vin <> ''
  UNION SELECT robot, vin FROM holes WHERE vin <> '';
UPDATE fields f SET vin = v.vin
  FROM (SELECT robot, min(vin) AS vin FROM vehicles GROUP BY robot HAVING count(*) = 1) v WHERE f.robot = v.robot;
UPDATE holes h SET vin = v.vin
  FROM (SELECT robot, min(vin) AS vin FROM vehicles GROUP BY robot HAVING count(*) = 1) v WHERE h.robot = v.robot;
CREATE OR REPLACE FUNCTION robots_named(name text) RETURNS text[] LANGUAGE sql STABLE AS
  $$SELECT ARRAY(SELECT v.robot FROM holdfast.vehicles v WHERE v.vin = name AND name <> '') || name$$;
-- Robots that have never been in another vehicle: what they sent and recorded without a VIN is of this one.
CREATE FUNCTION robots_only_in(vin text) RETURNS text[] LANGUAGE sql STABLE AS
  $$SELECT ARRAY(
    SELECT v.robot FROM holdfast.vehicles v WHERE v.vin = $1
      AND NOT EXISTS (SELECT FROM holdfast.fleet o WHERE o.robot = v.robot AND o.vin NOT IN ('', $1))
      AND NOT EXISTS (SELECT FROM holdfast.robot_vins o WHERE o.robot = v.robot AND o.vin <> $1)
      AND NOT EXISTS (SELECT FROM holdfast.fields o WHERE o.robot = v.robot AND o.vin NOT IN ('', $1))
      AND NOT EXISTS (SELECT FROM holdfast.holes o WHERE o.robot = v.robot AND o.vin NOT IN ('', $1)))$$;
-- The fields of a robot in all vehicles, or of a vehicle on all robots.
CREATE FUNCTION fields_named(name text) RETURNS SETOF fields LANGUAGE sql STABLE AS
  $$SELECT f.* FROM holdfast.fields f
    WHERE f.robot = $1 OR ($1 <> '' AND (f.vin = $1 OR (f.vin = '' AND f.robot = ANY(holdfast.robots_only_in($1)))))$$;
`,
};
