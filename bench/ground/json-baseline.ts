// The plain way: json-baseline FOLDER. A WebSocket server that parses a JSON message for each sample, and inserts it
// with a statement of its own. Prints its port; on SIGTERM it prints how many samples it has stored, as JSON.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type RawData } from 'ws';
import { silentLogger } from '../../src/core/logger.js';
import { openDatabase } from '../../src/ground/database/open-database.js';
import { systemClock } from '../../src/host/system-clock.js';
import { fieldNames } from './fleet-values.js';

const [folder = ''] = process.argv.slice(2);
const columns = fieldNames.map((name) => `${name} double precision`).join(', ');
const table = {
  ...{ number: 1, name: 'samples' },
  sql: `CREATE TABLE samples (robot text NOT NULL, at timestamptz NOT NULL, ${columns}, PRIMARY KEY (robot, at))`,
};
const ports = { fs, clock: systemClock, random: randomBytes, logger: silentLogger };
const database = await openDatabase({ kind: 'embedded', folder, user: undefined }, [table], ports);
const places = fieldNames.map((_, i) => `$${i + 3}`).join(', ');
const INSERT = `INSERT INTO samples VALUES ($1, to_timestamp($2::double precision / 1000), ${places}) ON CONFLICT DO NOTHING`;

let stored = 0;
let failed = 0;
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (socket) => {
  socket.on('message', (data: RawData) => {
    const sample = JSON.parse((data as Buffer).toString('utf8')) as Record<string, unknown>;
    const values = [sample['robot'], sample['atMs'], ...fieldNames.map((name) => sample[name])];
    database.query(INSERT, values).then(
      () => {
        stored++;
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
