import type { Commands } from '../../ground/commands.js';
import type { Database } from '../../ground/database/database.js';
import type { FetchService } from '../../ground/fetch/fetch-service.js';
import type { Fleet } from '../../ground/fleet.js';
import type { RobotRegistry } from '../../ground/robot-registry.js';
import type { Route } from '../../monitors/http/route.js';
import type { Invocation } from './command-definition.js';
import type { OpenCatalogue } from './open-catalogue.js';

export interface FetchParts {
  readonly database: Database | undefined;
  readonly open: OpenCatalogue | undefined;
  /** The robots that are connected to this process. */
  readonly fleet: Fleet;
  /** The name of a robot by its name or VIN; undefined: it has never connected. */
  readonly nameOf: (robot: string) => string | undefined;
  readonly registry: RobotRegistry;
  readonly commands: Commands;
}

/** The requests for segments of a ground. */
export interface OpenFetch extends AsyncDisposable {
  readonly service: FetchService;
  readonly routes: readonly Route[];
}

/** Starts to bring requests to the robots; undefined: there is no database. */
export async function openFetch(
  { database, open, fleet, nameOf, registry, commands }: FetchParts,
  { ports, logger }: Pick<Invocation, 'ports' | 'logger'>,
): Promise<OpenFetch | undefined> {
  if (database === undefined) return undefined;
  const stores = open?.stores ?? [];
  const { FetchBook } = await import('../../ground/fetch/fetch-book.js');
  const { FetchService: Service } = await import('../../ground/fetch/fetch-service.js');
  const { fetchRoutes } = await import('../../ground/fetch/fetch-routes.js');
  const { clock, random } = ports;
  const book = new FetchBook(database);
  const service = new Service({ book, robots: fleet, stores, clock, logger });
  const { robotByVin } = await import('../../ground/catalogue/search-recordings.js');
  const routes = fetchRoutes({
    ...{ book, service, hasStores: stores.length > 0, clock, random },
    nameOf: async (name) => nameOf(name) ?? (await robotByVin(database, name)) ?? name,
    isEnrolled: async (robot) => (await registry.list()).includes(robot),
    audited: ({ who, address }, what, work) => commands.audited({ who, address, ...what }, work),
  });
  return { service, routes, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}
