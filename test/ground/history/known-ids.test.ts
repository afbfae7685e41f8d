import assert from 'node:assert/strict';
import { silentLogger } from '../../../src/core/logger.js';
import type { Database, Queries } from '../../../src/ground/database/database.js';
import { migrate } from '../../../src/ground/database/migrate.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import { KnownIds } from '../../../src/ground/history/known-ids.js';
import type { SampleBatch } from '../../../src/ground/history/sample-batch.js';
import { present } from '../../../src/core/present.js';
import type { FieldSpec } from '../../../src/uplink/protocol/field-spec.js';
import { onEveryPostgres } from '../database/database-world.js';

/** Of one robot. */
const MAX_FIELDS = 1_024;

const field = (path: string): FieldSpec => ({
  ...{ topic: '/odom', path, unit: 'm/s', threshold: 0.1, quantum: 0.0625 },
  ...{ everyTicks: 1, predictor: 'linear' },
});
const batchOf = (robot: string, paths: readonly string[], run = 2n ** 64n - 1n): SampleBatch => ({
  ...{ robot, run, fields: paths.map(field), tickNs: 100_000_000, firstTick: 0, ticks: 1, timeNs: 0n },
  ...{ values: paths.map(() => 1), full: true },
});

onEveryPostgres('The numbers of fields and runs', (server) => {
  let database: Database;
  let statements: number;
  let ids: KnownIds;

  beforeEach(async () => {
    const real = await server().connect();
    await real.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(real, migrations, silentLogger);
    statements = 0;
    const counted = ({ query }: Queries): Queries => ({
      query: (text, values) => {
        statements++;
        return query(text, values);
      },
    });
    database = {
      ...counted(real),
      ...{ address: real.address, major: real.major },
      transaction: (work) => real.transaction((queries) => work(counted(queries))),
      [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
    };
    ids = new KnownIds(database);
  });
  afterEach(() => database[Symbol.asyncDispose]());

  it('of a whole fleet are learned in as many statements as those of one robot', async () => {
    await ids.learn([batchOf('alone', ['x', 'y'])]);
    const ofOne = statements;
    statements = 0;
    const fleet = Array.from({ length: 300 }, (_, i) => batchOf(`robot_${i}`, ['x', 'y', 'z']));
    await ids.learn(fleet);
    assert.equal(statements, ofOne);
    const numbers = await Promise.all(fleet.map((batch) => ids.fieldsOf(batch)));
    assert.equal(new Set(numbers.flat()).size, 900);
    const runs = await Promise.all(fleet.map((batch) => ids.runOf(batch)));
    assert.equal(new Set(runs).size, 300);
    assert.equal(statements, ofOne, 'they are remembered');
  });

  it('are the same for another process, and for the same fields in another list', async () => {
    const [first, second] = [batchOf('robot_1', ['x', 'y']), batchOf('robot_1', ['y', 'x', 'new'])];
    const [x, y] = await ids.fieldsOf(first);
    const run = await ids.runOf(first);
    const other = new KnownIds(database);
    const learned = await other.fieldsOf(second);
    assert.deepEqual(learned.slice(0, 2), [y, x]);
    assert.equal(new Set(learned).size, 3);
    assert.equal(await other.runOf(second), run);
  });

  it('end at the bound of one robot, in the order of its fields, and others have theirs', async () => {
    const paths = Array.from({ length: MAX_FIELDS + 50 }, (_, i) => `value_${i}`);
    const many = batchOf('robot_1', paths);
    const others = [batchOf('robot_0', ['x']), batchOf('robot_2', ['x'])];
    await ids.learn([many, ...others]);
    const known = await ids.fieldsOf(many);
    assert.equal(known.indexOf(undefined), MAX_FIELDS);
    assert.ok(known.slice(MAX_FIELDS).every((id) => id === undefined));
    for (const batch of others) assert.equal(typeof present((await ids.fieldsOf(batch))[0]), 'number');
    const later = await ids.fieldsOf(batchOf('robot_1', ['value_0', 'later']));
    assert.deepEqual(later, [known[0], undefined]);
  });
});
