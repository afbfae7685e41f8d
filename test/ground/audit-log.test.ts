import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { AuditFile, type AuditEntry, type AuditLog } from '../../src/ground/audit-log.js';
import { AuditTable } from '../../src/ground/audit-table.js';
import type { Database } from '../../src/ground/database/database.js';
import { migrate } from '../../src/ground/database/migrate.js';
import { migrations } from '../../src/ground/database/migrations.js';
import { onEveryPostgres } from './database/database-world.js';

const asked = (id: string): AuditEntry => ({
  ...{ id, at: '2026-11-30T10:00:00.123456Z', who: 'otto', role: 'operator', address: '::1' },
  ...{ robot: 'robot_7', command: 'mark_event', label: "it's ü", state: 'asked', message: '', endedAt: '' },
});
const ended = (id: string): AuditEntry => ({
  ...asked(id),
  ...{ state: 'done', message: 'marked', endedAt: '2026-11-30T10:00:01Z' },
});

/** What every audit log does. */
function auditContract(open: () => Promise<AuditLog>): void {
  it('has each command with how it ended, the newest first', async () => {
    const log = await open();
    for (const entry of [asked('a'), asked('b'), ended('b'), asked('c'), ended('a')]) await log.append(entry);
    const found = (await log.list(10)).map((entry) => ({
      ...entry,
      at: new Date(entry.at).getTime(),
      endedAt: new Date(entry.endedAt || 0).getTime(),
    }));
    const expected = [asked('c'), ended('b'), ended('a')].map((entry) => ({
      ...entry,
      at: new Date(entry.at).getTime(),
      endedAt: new Date(entry.endedAt || 0).getTime(),
    }));
    assert.deepEqual(found, expected);
    assert.deepEqual(
      (await log.list(1)).map(({ id }) => id),
      ['c'],
    );
  });

  it('is there again after a restart', async () => {
    assert.equal((await (await open()).list(10)).length, 3);
  });
}

describe('The audit log in a file', () => {
  let folder: string;
  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-audit-'));
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));
  auditContract(() => Promise.resolve(new AuditFile(folder, fs)));
});

onEveryPostgres('The audit log', (server) => {
  let database: Database;
  before(async () => {
    database = await server().connect();
    await migrate(database, migrations, silentLogger);
  });
  after(() => database[Symbol.asyncDispose]());
  auditContract(() => Promise.resolve(new AuditTable(database)));

  it('refuses that a row is changed or removed', async () => {
    for (const sql of ["UPDATE audit SET who = 'nobody'", 'DELETE FROM audit', 'TRUNCATE audit'])
      await assert.rejects(database.query(sql), (error) => isHoldfastError(error, 'GROUND_DATABASE_FAILED'));
    assert.equal((await new AuditTable(database).list(10)).length, 3);
  });
});
