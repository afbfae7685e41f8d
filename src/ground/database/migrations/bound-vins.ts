import type { Migration } from '../migrate.js';

/** Which robot a VIN is bound to: no other one may say it. */
export const boundVinsMigration: Omit<Migration, 'number'> = {
  name: 'bound vins',
  sql: `
-- Of a robot; empty: it is bound to none.
ALTER TABLE tokens ADD COLUMN vin text NOT NULL DEFAULT '' CHECK (vin = '' OR kind = 'robot');
CREATE UNIQUE INDEX tokens_vin ON tokens (vin) WHERE vin <> '' AND revoked_at IS NULL;
`,
};
