import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../../src/core/logger.js';
import type { Channel } from '../../../src/core/message.js';
import { present } from '../../../src/core/present.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import type { DeletionReceipt } from '../../../src/deletion/deletion-receipt.js';
import type { AuditEntry } from '../../../src/ground/audit-log.js';
import { DATABASE_USER } from '../../../src/ground/database/cluster-folder.js';
import { PostgresDatabase } from '../../../src/ground/database/postgres-database.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { parseFieldRule } from '../../../src/settings/field-rule.js';
import { eventually } from '../../../src/testing/waiting.js';
import { WebSocketTransport } from '../../../src/uplink/link/websocket-transport.js';
import type { ReportedSegment } from '../../../src/uplink/protocol/robot-report.js';
import type { RobotFacts } from '../../../src/uplink/robot/report-sender.js';
import { UplinkClient } from '../../../src/uplink/robot/uplink-client.js';
import { jsonOf, runCli, type CliProcess, type CliRun } from '../../support/cli.js';
import { cliSuite } from '../../support/cli-suite.js';

/** What only the deleted time holds: a value of a field, the label of an event, and a tag. */
const [VALUE, LABEL, TAG] = [98_765_432, 'visitor at gate nine', 'tour-of-the-visitor'];
/** Only the first digits of the value are exact. */
const SECRETS = [String(VALUE).slice(0, -1), LABEL, TAG];
/** Of the robot r1. */
const VIN = '1HGCM82633A004352';
const MESSAGE_MS = 20;
/** Between two samples. */
const TICK_NS = 100_000_000n;

/** A robot with one field. */
class Robot implements AsyncDisposable {
  readonly client: UplinkClient;
  /** Undefined: a wave. */
  value: number | undefined;
  facts: RobotFacts = { figures: { state: 'recording' }, alerts: [], segments: [], events: [] };
  readonly #channel: Channel;
  readonly #timer: NodeJS.Timeout;
  #messages = 0;

  constructor(robot: string, port: number, token: string) {
    const transport = new WebSocketTransport(`ws://127.0.0.1:${port}`, token, systemClock);
    const rules = [present(parseFieldRule('*.v threshold=0.5'))];
    const ports = { transport, clock: systemClock, logger: silentLogger, randomBytes };
    this.client = new UplinkClient(
      { robot, version: '0.1.0', rules, ...(robot === 'r1' ? { vin: () => VIN } : {}) },
      { ...ports, facts: () => this.facts },
    );
    const data = new TextEncoder().encode('float64 v\n');
    this.#channel = {
      ...{ robot, topic: '/speed', encoding: 'cdr', metadata: {}, latched: false },
      schema: { name: 'demo_msgs/msg/Speed', encoding: 'ros2msg', data },
    };
    this.#timer = setInterval(() => this.#send(), MESSAGE_MS);
  }

  #send(): void {
    const now = systemClock.now();
    const value = this.value ?? 10 * Math.sin(this.#messages++ / 25);
    const data = new CdrWriter().begin().f64(value).finish();
    this.client.take({ kind: 'message', channel: this.#channel, data, receivedAt: now, publishedAt: now });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.client[Symbol.asyncDispose]();
  }
}

const segment = (number: number, begin: bigint, end: bigint, tag: string): ReportedSegment => ({
  ...{
    segment: `${String(number).padStart(12, '0')}-${'ab'.repeat(16)}`,
    state: 'sealed',
    bytes: 1_000,
  },
  ...{
    messages: 10,
    firstLogTime: String(begin),
    lastLogTime: String(end),
    sealedAt: String(end),
    gaps: 0,
  },
  holds: {
    topics: [{ topic: '/speed', type: 'demo_msgs/msg/Speed', encoding: 'cdr' }],
    tags: { mission: tag },
  },
});
const mark = (number: number, at: bigint, label: string): RobotFacts['events'][number] => ({
  ...{ id: String(number).padStart(32, '0'), label, at: String(at), from: String(at), to: String(at) },
});

/** The command over HTTP against a real ground with its own PostgreSQL. */
describe('holdfast delete --ground', function () {
  this.timeout(120_000);
  let folder: string;
  const start = cliSuite('delete-ground', (made) => (folder = made));

  async function ok(...args: string[]): Promise<CliRun> {
    const run = await runCli(args);
    assert.equal(run.exitCode, 0, `${args.join(' ')}\n${run.stdout}\n${run.stderr}`);
    return run;
  }

  async function startGround(): Promise<{ readonly ground: CliProcess; readonly port: number }> {
    const ground = start('ground', '--data', join(folder, 'ground'), '--listen', '127.0.0.1:0');
    await ground.waitFor(/listens.* port=\d+/);
    return { ground, port: Number(present(/ port=(\d+)/.exec(ground.output()))[1]) };
  }

  async function stop({ child, ended }: CliProcess): Promise<void> {
    child.kill('SIGTERM');
    assert.equal((await ended).exitCode, 0);
  }

  /** The database of the ground, as its superuser. */
  function connect(): Promise<PostgresDatabase> {
    const socketFolder = join(folder, 'ground', 'database', 'socket');
    const place = { address: socketFolder, socketFolder, user: DATABASE_USER, database: 'postgres' };
    return PostgresDatabase.connect(place, silentLogger);
  }

  /** Every row of every table as text, by table: those of the system too, which have statistics with values. */
  async function dump(database: PostgresDatabase): Promise<ReadonlyMap<string, string>> {
    const tables = await database.query<{ name: string; binary: boolean }>(
      `SELECT format('%I.%I', n.nspname, c.relname) AS name, n.nspname = 'holdfast' AND EXISTS (
         SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid = 'bytea'::regtype) AS binary
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'pg_toast' ORDER BY 1`,
    );
    // Their text would be hexadecimal, in which no search finds a word.
    assert.deepEqual(
      tables.filter(({ binary }) => binary),
      [],
    );
    const texts = new Map<string, string>();
    for (const { name } of tables) {
      const rows = await database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t ORDER BY 1`);
      texts.set(name, rows.map(({ row }) => row).join('\n'));
    }
    return texts;
  }

  /** The tables that have each secret. */
  const tablesWith = (texts: ReadonlyMap<string, string>): readonly (readonly string[])[] =>
    SECRETS.map((secret) => [...texts].filter(([, text]) => text.includes(secret)).map(([name]) => name));

  const ownTables = (texts: ReadonlyMap<string, string>): readonly (readonly [string, string])[] =>
    [...texts].filter(([name]) => name.startsWith('holdfast.'));

  /** Samples outside the time, and the roll-ups that have nothing of it. */
  async function others(database: PostgresDatabase, from: bigint, to: bigint): Promise<readonly string[]> {
    const found: string[] = [];
    for (const [table, unit] of [
      ['samples', 'microseconds'],
      ['samples_1s', 'second'],
      ['samples_1min', 'minute'],
      ['samples_1h', 'hour'],
    ] as const) {
      const rows = await database.query<{ row: string }>(
        `SELECT concat_ws(' ', '${table}', f.robot, t::text) AS row FROM ${table} t JOIN fields f ON f.id = t.field
         WHERE f.robot <> 'r1' OR t.at > to_timestamp($2::float8) OR
           t.at + ('1 ${unit}')::interval <= to_timestamp($1::float8) ORDER BY 1`,
        [Number(from) / 1e9, Number(to) / 1e9],
      );
      found.push(...rows.map(({ row }) => row));
    }
    return found;
  }

  it('removes a time of one robot for an admin, leaves nothing of it, and nothing else changes', async () => {
    const place = ['--data', join(folder, 'ground')];
    const tokens = new Map<string, string>();
    for (const name of ['r1', 'r2'])
      tokens.set(name, (await ok('ground', 'enrol', name, ...place)).stdout.trim());
    const tokenFile = (name: string): string => join(folder, `${name}.token`);
    for (const role of ['viewer', 'operator', 'admin']) {
      const { stdout } = await ok('ground', 'user', 'add', `${role}1`, '--role', role, ...place);
      await writeFile(tokenFile(role), stdout, { mode: 0o600 });
    }
    const out = join(folder, 'out');
    await mkdir(out);
    const key = join(folder, 'delete.key');
    const verifying = (await ok('keygen', '--signing', '--out', key)).stdout.trim();

    const first = await startGround();
    let [from, to] = [0n, 0n];
    let facts: RobotFacts;
    {
      await using database = await connect();
      const count = async (where: string, ...values: unknown[]): Promise<number> =>
        present(
          (
            await database.query<{ count: number }>(
              `SELECT count(*) AS count FROM samples s JOIN fields f ON f.id = s.field WHERE ${where}`,
              values,
            )
          )[0],
        ).count;
      await using one = new Robot('r1', first.port, present(tokens.get('r1')));
      await using two = new Robot('r2', first.port, present(tokens.get('r2')));
      const began = systemClock.now();
      await eventually(async () => (await count("robot = 'r1'")) > 15, 'samples before the time');
      assert.ok(two.client.status().ticks > 0);
      from = systemClock.now();
      one.value = VALUE;
      await eventually(async () => (await count('value > 9e7')) > 15, 'samples of the time');
      one.value = undefined;
      const last = systemClock.now();
      await eventually(
        async () =>
          (await count(
            "robot = 'r1' AND value < 9e7 AND at > to_timestamp($1::float8)",
            Number(last) / 1e9,
          )) > 3,
        'a sample of another value',
      );
      to = last + 2n * TICK_NS;
      // In front of the time, in it, and over its end.
      facts = {
        ...one.facts,
        segments: [
          segment(1, began, from - 1n, 'tour-of-the-hall'),
          segment(2, from, to - 2n * TICK_NS, TAG),
          segment(3, to - 2n * TICK_NS, to + TICK_NS, 'tour-of-the-yard'),
        ],
        events: [mark(1, began, 'gate one'), mark(2, from + TICK_NS, LABEL), mark(3, to - TICK_NS, LABEL)],
      };
      one.facts = facts;
      await eventually(
        async () => (await database.query('SELECT FROM recording_events')).length === 3,
        'the marked events',
      );
    }
    // Whatever waits for the database is in it when the ground has ended.
    await stop(first.ground);

    const { ground, port } = await startGround();
    const url = `http://127.0.0.1:${port}`;
    const wanted = [
      ...['delete', '--robot', 'r1', '--from', String(from), '--to', String(to)],
      ...['--ground', url, '--out', out],
    ];
    const doing = ['--reason', 'request 12', '--by', 'ada', '--sign-key', key];
    {
      await using database = await connect();
      await database.query('ANALYZE');
      const before = await dump(database);
      const kept = await others(database, from, to);
      for (const [i, tables] of tablesWith(before).entries())
        assert.ok(tables.length > 0, `${SECRETS[i]} is not in the database`);
      assert.ok(kept.some((row) => row.startsWith('samples r1')));

      for (const role of ['viewer', 'operator']) {
        const refused = await runCli([...wanted, '--ground-token-file', tokenFile(role), '--yes', ...doing]);
        assert.notEqual(refused.exitCode, 0);
        assert.match(refused.stderr, new RegExp(`the ground refuses it: .*${role}.*admin`));
      }
      const none = await runCli([...wanted, '--ground-token-file', join(folder, 'none')]);
      assert.match(none.stderr, /--ground-token-file is "[^"]*none", allowed: a file with a token: .*ENOENT/);
      assert.doesNotMatch(none.stderr, /\n +at /);
      const admin = [...wanted, '--ground-token-file', tokenFile('admin')];
      const byVin = await runCli([...admin, '--robot', VIN]);
      assert.match(byVin.stderr, new RegExp(`${VIN} is the VIN of r1; give the name of one`));
      const other = await ok(...admin, '--robot', 'r9', '--to', '2100-01-01');
      assert.match(
        other.stdout,
        /has nothing of the robot r9 in this time[^]*nothing of r9 until 2100-01-01/,
      );
      const dry = await ok(...admin, '--json');
      assert.doesNotMatch(dry.stdout, /has nothing of|until/);
      const { plan } = jsonOf(dry) as {
        readonly plan: {
          readonly id: string;
          readonly places: readonly { readonly remove: readonly { readonly messages: number }[] }[];
        };
      };
      assert.deepEqual(ownTables(await dump(database)), ownTables(before), 'nothing was changed');

      const done = await ok(...admin, '--confirm', plan.id, ...doing, '--json');
      const { path, receipt } = jsonOf(done) as { readonly path: string; readonly receipt: DeletionReceipt };
      assert.deepEqual(
        receipt.places.map(({ place: where, kind, kept: left }) => [where, kind, left]),
        [[`${url}/`, 'ground', []]],
      );
      const removed = present(receipt.places[0]).removed.map(({ messages }) => messages);
      assert.deepEqual(
        removed,
        present(plan.places[0]).remove.map(({ messages }) => messages),
      );
      assert.ok(present(removed[0]) > 15, String(removed));
      await ok('verify-receipt', path, '--key', verifying);

      assert.deepEqual(tablesWith(await dump(database)), [[], [], []]);
      assert.deepEqual(await others(database, from, to), kept);
      const labels = await database.query('SELECT label FROM recording_events');
      assert.deepEqual(labels, [{ label: 'gate one' }]);
      const authorization = `Bearer ${present(/\S+/.exec(await readFile(tokenFile('admin'), 'utf8')))[0]}`;
      const answer = await fetch(`${url}/api/audit`, { headers: { authorization } });
      const { entries } = (await answer.json()) as { readonly entries: readonly AuditEntry[] };
      assert.deepEqual(
        entries.map(({ who, robot, command, state }) => [who, robot, command, state]),
        [['admin1', 'r1', 'delete', 'done']],
      );
      assert.match(present(entries[0]).label, new RegExp(`^${from} to ${to}, plan ${plan.id}: request 12$`));
    }
    {
      // The robot still has it, and tells again what it told.
      await using database = await connect();
      await using one = new Robot('r1', port, present(tokens.get('r1')));
      const now = systemClock.now();
      const { segments, events } = facts;
      one.facts = {
        ...facts,
        segments: [...segments, segment(4, now, now + TICK_NS, 'tour-of-the-roof')],
        events: [...events, mark(4, now, 'gate two')],
      };
      // The ground stores all events of a report in one statement.
      await eventually(
        async () =>
          (await database.query("SELECT FROM recording_events WHERE label = 'gate two'")).length === 1,
        'what the robot reports',
      );
      // It reports the newest first what they hold, some in each report.
      await eventually(
        async () =>
          (await database.query("SELECT FROM recordings WHERE tags ->> 'mission' = 'tour-of-the-hall'"))
            .length === 1,
        'what the oldest segment holds',
      );
      const known = await database.query<{ segment: string }>(
        'SELECT segment FROM recordings ORDER BY segment',
      );
      assert.deepEqual(
        known.map((one) => Number(one.segment.slice(0, 12))),
        [1, 3, 4],
      );
      assert.deepEqual(tablesWith(await dump(database)), [[], [], []]);
    }
    await stop(ground);
  });
});
