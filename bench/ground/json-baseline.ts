// The plain way: json-baseline FOLDER samples|values. A WebSocket server that parses a JSON message for each sample
// of all fields, or for each value of a field, and inserts it with a statement of its own. Prints its port, and tells
// its parent how many values it has stored when it is asked.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type RawData } from 'ws';
import { silentLogger } from '../../src/core/logger.js';
import { openDatabase } from '../../src/ground/database/open-database.js';
import { systemClock } from '../../src/host/system-clock.js';
import { fieldNames } from './fleet-values.js';

const [folder = '', kind = ''] = process.argv.slice(2);
const columns = fieldNames.map((name) => `${name} double precision`).join(', ');
const places = fieldNames.map((_, i) => `$${i + 3}`).join(', ');
const TIME = 'to_timestamp($2::double precision / 1000)';
/** A row for each sample, or for each value: what people would write first. */
const samples = {
  values: fieldNames.length,
  table: `CREATE TABLE samples (robot text NOT NULL, at timestamptz NOT NULL, ${columns}, PRIMARY KEY (robot, at))`,
  insert: `INSERT INTO samples VALUES ($1, ${TIME}, ${places}) ON CONFLICT DO NOTHING`,
  rowOf: (one: Record<string, unknown>) => [
    one['robot'],
    one['atMs'],
    ...fieldNames.map((name) => one[name]),
  ],
};
const values = {
  values: 1,
  table:
    'CREATE TABLE samples (robot text NOT NULL, at timestamptz NOT NULL, field text NOT NULL, ' +
    'value double precision, PRIMARY KEY (robot, field, at))',
  insert: `INSERT INTO samples VALUES ($1, ${TIME}, $3, $4) ON CONFLICT DO NOTHING`,
  rowOf: (one: Record<string, unknown>) => [one['robot'], one['atMs'], one['field'], one['value']],
};
const way = kind === 'values' ? values : samples;
const table = { number: 1, name: 'samples', sql: way.table };
const ports = { fs, clock: systemClock, random: randomBytes, logger: silentLogger };
const database = await openDatabase({ kind: 'embedded', folder, user: undefined }, [table], ports);
let stored = 0;
let failed = 0;
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (socket) => {
  socket.on('message', (data: RawData) => {
    const sample = JSON.parse((data as Buffer).toString('utf8')) as Record<string, unknown>;
    database.query(way.insert, way.rowOf(sample)).then(
      () => {
        stored += way.values;
      },
      () => {
        failed++;
      },
    );
  });
});
await new Promise((resolve) => server.once('listening', resolve));
console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
process.on('message', () => process.send?.({ stored, failed }));
process.once('SIGTERM', () => process.exit(0));
