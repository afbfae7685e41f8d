import type { GroundFleetOptions } from '../../src/app/demo/ground/ground-fleet.js';
import { NatsServer } from './nats.js';
import { PostgresServer } from './postgres.js';

const PROCESSES = 2;

/** What a ground of several processes runs on: real servers that can be killed. */
export class SharedServers implements AsyncDisposable {
  readonly postgres: PostgresServer;
  readonly nats: NatsServer;
  readonly ground: NonNullable<GroundFleetOptions['shared']>;

  private constructor(postgres: PostgresServer, nats: NatsServer, database: string) {
    this.postgres = postgres;
    this.nats = nats;
    this.ground = { processes: PROCESSES, database, busPort: nats.port };
  }

  static async start(): Promise<SharedServers> {
    const postgres = await PostgresServer.start();
    const nats = await NatsServer.start();
    return new SharedServers(postgres, nats, await postgres.createDatabase('fleet'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nats.stop();
    await this.postgres[Symbol.asyncDispose]();
  }
}
