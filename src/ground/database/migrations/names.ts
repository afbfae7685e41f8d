import type { Migration } from '../migrate.js';

/** Robots by name or VIN. A vehicle that was enrolled again under another name has several. */
export const namesMigration: Omit<Migration, 'number'> = {
  name: 'robots by name or VIN',
  sql: `
CREATE FUNCTION robots_named(name text) RETURNS text[] LANGUAGE sql STABLE AS
  $$SELECT ARRAY(SELECT f.robot FROM holdfast.fleet f WHERE f.vin = name AND name <> '') || name$$;
`,
};
