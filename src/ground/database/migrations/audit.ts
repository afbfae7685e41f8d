import type { Migration } from '../migrate.js';

/** Commands to robots: a row when one is given, and one when it has ended. No row changes or goes. */
export const auditMigration: Omit<Migration, 'number'> = {
  name: 'audit',
  sql: `
CREATE TABLE audit (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Both rows of a command have the same.
  id text NOT NULL,
  at timestamptz NOT NULL,
  who text NOT NULL,
  role text NOT NULL,
  address text NOT NULL,
  robot text NOT NULL,
  command text NOT NULL,
  label text NOT NULL,
  state text NOT NULL,
  message text NOT NULL,
  ended_at timestamptz
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RAISE EXCEPTION ''the audit log is only added to''; END';
CREATE TRIGGER audit_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
`,
};
