import type { Migration } from './migrate.js';
import { auditMigration } from './migrations/audit.js';
import { boundVinsMigration } from './migrations/bound-vins.js';
import { catalogueTables } from './migrations/catalogue.js';
import { clocksMigration } from './migrations/clocks.js';
import { deletionsMigration } from './migrations/deletions.js';
import { fetchMigration } from './migrations/fetch.js';
import { fleetMigration } from './migrations/fleet.js';
import { holesMigration } from './migrations/holes.js';
import { historyMigration } from './migrations/history.js';
import { localMigration } from './migrations/local.js';
import { namesMigration } from './migrations/names.js';
import { registryMigration } from './migrations/registry.js';
import { secretsMigration } from './migrations/secrets.js';
import { vehiclesMigration } from './migrations/vehicles.js';
import { vinsMigration } from './migrations/vins.js';

/** Every step of the schema, in order: a new one comes last. */
export const migrations: readonly Migration[] = [
  historyMigration,
  catalogueTables,
  auditMigration,
  registryMigration,
  fetchMigration,
  localMigration,
  secretsMigration,
  holesMigration,
  fleetMigration,
  namesMigration,
  vinsMigration,
  vehiclesMigration,
  deletionsMigration,
  clocksMigration,
  boundVinsMigration,
].map((one, index) => ({ ...one, number: index + 1 }));
