import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { silentLogger } from '../../../src/core/logger.js';
import { prepareCluster, type Cluster } from '../../../src/ground/database/cluster-folder.js';
import type { Database } from '../../../src/ground/database/database.js';
import { EmbeddedPostgres } from '../../../src/ground/database/embedded-postgres.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { PostgresDatabase } from '../../../src/ground/database/postgres-database.js';
import { lacking } from '../../../src/testing/lacking.js';
import {
  packagedPrograms,
  PostgresServer,
  requirePostgres,
  timescalePrograms,
} from '../../support/postgres.js';

export const databasePorts = { fs, clock: systemClock, logger: silentLogger };

/** A PostgreSQL server of a test. */
export interface TestServer extends AsyncDisposable {
  /** A connection of its own to the database of this test. */
  connect(): Promise<Database>;
  /** Ends it as a power cut would, and lets it come back. */
  kill(): Promise<void>;
}

/** A real server in a folder of its own, as the ground starts it. */
export class EmbeddedServer implements TestServer {
  readonly folder: string;
  cluster!: Cluster;
  server!: EmbeddedPostgres;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(): Promise<EmbeddedServer> {
    // Only the user of this process may enter it, and the path of a socket below would be too long.
    const world = new EmbeddedServer(
      await fs.mkdtemp(join(tmpdir(), `holdfast-embedded-${'x'.repeat(80)}-`)),
    );
    await world.run();
    return world;
  }

  async run(): Promise<void> {
    this.cluster = await prepareCluster({ folder: this.folder, user: undefined }, databasePorts);
    this.server = await EmbeddedPostgres.start(this.cluster, databasePorts);
  }

  connect(): Promise<Database> {
    return PostgresDatabase.connect(this.server.place, silentLogger);
  }

  kill(): Promise<void> {
    process.kill(this.server.pid ?? 0, 'SIGKILL');
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await fs.rm(this.folder, { recursive: true, force: true });
  }
}

async function startExternal(server: PostgresServer): Promise<TestServer> {
  const url = await server.createDatabase('fleet');
  return {
    connect: () => PostgresDatabase.connect({ url }, silentLogger),
    async kill() {
      await server.kill();
      await server.run();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function startDebian(context: Mocha.Context): Promise<TestServer> {
  requirePostgres(context);
  return startExternal(await PostgresServer.start());
}

/** The newest major version that Holdfast knows, on a TCP port and with a password. */
async function startPackaged(context: Mocha.Context): Promise<TestServer> {
  const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-programs-'));
  await fs.chmod(root, 0o755);
  const programs = await packagedPrograms(root);
  if (programs === undefined) {
    await fs.rm(root, { recursive: true });
    lacking(context, 'peer', 'the npm package with PostgreSQL 18 is not installed');
  }
  const server = await startExternal(await PostgresServer.start(programs));
  return {
    connect: () => server.connect(),
    kill: () => server.kill(),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await fs.rm(root, { recursive: true, force: true });
    },
  };
}

/** Debian's server with a database that has the extension. */
export async function startTimescale(context: Mocha.Context): Promise<TestServer> {
  const programs = timescalePrograms();
  if ('missing' in programs) return lacking(context, 'timescaledb', programs.missing);
  const server = await startExternal(await PostgresServer.start(programs));
  await using database = await server.connect();
  await database.query('CREATE EXTENSION timescaledb SCHEMA public');
  return server;
}

/** The kind of server that {@link onEveryHistory} adds. */
export const TIMESCALE = 'an external PostgreSQL with TimescaleDB';
type Suite = (server: () => TestServer, kind: string) => void;
type Kind = readonly [string, (context: Mocha.Context) => Promise<TestServer>];
const kinds: readonly Kind[] = [
  ['the embedded PostgreSQL', () => EmbeddedServer.start()],
  ['an external PostgreSQL of Debian', startDebian],
  ['an external PostgreSQL 18', startPackaged],
];

/** Runs a suite on the embedded PostgreSQL, and on external ones: Debian's (15), and that of the npm package (18). */
export function onEveryPostgres(title: string, suite: Suite): void {
  onEach(kinds, title, suite);
}

/** As {@link onEveryPostgres}, and on one with TimescaleDB if this machine has it. */
export function onEveryHistory(title: string, suite: Suite): void {
  onEach([...kinds, [TIMESCALE, startTimescale]], title, suite);
}

function onEach(all: readonly Kind[], title: string, suite: Suite): void {
  for (const [name, start] of all) {
    describe(`${title} on ${name}`, () => {
      let server: TestServer | undefined;
      before(async function () {
        this.timeout(120_000);
        server = await start(this);
      });
      after(async () => {
        await server?.[Symbol.asyncDispose]();
      });
      suite(() => present(server), name);
    });
  }
}
