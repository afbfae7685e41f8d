import { randomBytes } from 'node:crypto';
import { silentLogger } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import type { Store } from '../../../src/core/store.js';
import type { Database } from '../../../src/ground/database/database.js';
import { migrate } from '../../../src/ground/database/migrate.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import { FetchBook } from '../../../src/ground/fetch/fetch-book.js';
import { fetchRoutes } from '../../../src/ground/fetch/fetch-routes.js';
import { FetchService } from '../../../src/ground/fetch/fetch-service.js';
import type { FetchView } from '../../../src/ground/fetch/fetch-view.js';
import { systemClock } from '../../../src/host/system-clock.js';
import type { TestServer } from '../database/database-world.js';
import { GroundWorld } from '../ground-world.js';

export type Shown = FetchView;

/** A ground that brings requests for segments to its robots. */
export class FetchGround implements AsyncDisposable {
  readonly world: GroundWorld;
  readonly #database: Database;
  #service: FetchService | undefined;

  private constructor(world: GroundWorld, database: Database) {
    this.world = world;
    this.#database = database;
  }

  static async start(server: TestServer, stores: readonly Store[]): Promise<FetchGround> {
    const database = await server.connect();
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    const world = await GroundWorld.start();
    const ground = new FetchGround(world, database);
    world.onFetch = (robot, update) => ground.#service?.note(robot, update);
    world.routesOf = (fleet, commands) => {
      const book = new FetchBook(database);
      const ports = { clock: systemClock, logger: silentLogger };
      const service = new FetchService({ book, robots: fleet, stores, ...ports });
      ground.#service = service;
      return fetchRoutes({
        ...{ book, service, hasStores: stores.length > 0, clock: systemClock, random: randomBytes },
        nameOf: (robot) => Promise.resolve(fleet.robot(robot)?.robot ?? robot),
        isEnrolled: async (robot) => (await world.registry.list()).includes(robot),
        audited: ({ who, address }, what, work) => commands.audited({ who, address, ...what }, work),
      });
    };
    await ground.restart();
    return ground;
  }

  get service(): FetchService {
    return present(this.#service);
  }

  /** Nothing is left but the folder and the database. */
  async restart(): Promise<void> {
    await this.world.kill();
    await this.#service?.[Symbol.asyncDispose]();
    await this.world.startServer();
  }

  async get(path: string, token?: string): Promise<{ readonly status: number; readonly body: unknown }> {
    return this.#ask(path, token, { method: 'GET' });
  }

  async post(path: string, body: object = {}, token?: string): ReturnType<FetchGround['get']> {
    return this.#ask(path, token, { method: 'POST', body: JSON.stringify(body) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
    await this.world[Symbol.asyncDispose]();
    await this.#database[Symbol.asyncDispose]();
  }

  async #ask(path: string, token: string | undefined, init: RequestInit): ReturnType<FetchGround['get']> {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`http://127.0.0.1:${this.world.port}/${path}`, {
      ...init,
      headers: { 'content-type': 'application/json', ...authorization },
    });
    return { status: answer.status, body: await answer.json() };
  }
}
