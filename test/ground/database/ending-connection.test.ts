import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { isHoldfastError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { PostgresDatabase } from '../../../src/ground/database/postgres-database.js';
import { eventually } from '../../../src/testing/waiting.js';

/** One message of PostgreSQL's protocol. */
function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const head = Buffer.from(`${type}\0\0\0\0`);
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

const VERSION = '150018';
const loggedIn = message('R', Buffer.alloc(4));
const ready = message('Z', 'I');
const version = [
  message('T', '\0\x01version\0', Buffer.alloc(6), '\0\0\0\x19', Buffer.alloc(8)),
  message('D', '\0\x01', '\0\0\0\x06', VERSION),
  message('C', 'SELECT 1\0'),
];
const reason = 'terminating connection due to unexpected postmaster exit';
const death = message('E', 'S', 'FATAL\0', 'C57P01\0', 'M', `${reason}\0`, '\0');

describe('A connection to PostgreSQL', () => {
  it('that the server ends in the packet that opens it fails the transaction, not the process', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      const isFirst = ++connections === 1;
      socket.once('data', () => {
        if (!isFirst) return void socket.end(Buffer.concat([loggedIn, ready, death]));
        socket.write(Buffer.concat([loggedIn, ready]));
        socket.once('data', () => socket.end(Buffer.concat([...version, ready])));
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      await using database = await PostgresDatabase.connect(
        { url: `postgres://fleet@127.0.0.1:${port}/fleet` },
        silentLogger,
      );
      await eventually(async () => {
        await assert.rejects(
          database.transaction(({ query }) => query('SELECT 1')),
          (error) => isHoldfastError(error, 'GROUND_DATABASE_UNREACHABLE'),
        );
        return connections > 2;
      }, 'connections after the first');
    } finally {
      server.close();
    }
  });
});
