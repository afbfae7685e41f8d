import { join } from 'node:path';
import { dataFolder } from '../../core/data-folder.js';
import { defined } from '../../core/defined.js';
import type { Logger } from '../../core/logger.js';
import { onAbort } from '../../core/on-abort.js';
import type { AccessRouteParts } from '../../ground/access-routes.js';
import type { AuditLog } from '../../ground/audit-log.js';
import type { CommandRouteParts } from '../../ground/command-routes.js';
import type { Commands, CommandSender } from '../../ground/commands.js';
import type { Database } from '../../ground/database/database.js';
import type { PeopleRegistry as People } from '../../ground/people-registry.js';
import type { MapSource } from '../../ground/map-source.js';
import type { RobotRegistry } from '../../ground/robot-registry.js';
import type { DeletedTimes } from '../../ground/deleted-times.js';
import type { FleetView } from '../../ground/fleet-view.js';
import type { GroundServerParts } from '../../ground/ground-server.js';
import type { HistoryWriter } from '../../ground/history/history-writer.js';
import type { Refill } from '../../ground/refill/refill.js';
import { exitCodes } from '../../host/exit-code.js';
import { acquireRoleLock } from '../../host/role-lock.js';
import { packageRoot, version } from '../../host/version.js';
import type { TlsFiles } from '../../monitors/http/listener.js';
import type { Route } from '../../monitors/http/route.js';
import { isLoopback } from '../../monitors/http/request-checks.js';
import type { CommandResult, Invocation } from './command-definition.js';
import { openCatalogue, type OpenCatalogue } from './open-catalogue.js';
import { openFetch, type OpenFetch } from './open-fetch.js';
import { openRecordingFiles } from './open-recording-files.js';
import { openGroundDatabase, openHistory, openRefill, openSql } from './open-ground-database.js';
import { registryPlace, sharesDatabase } from './open-ground-registry.js';
import { watchFleet } from './open-fleet-alerts.js';
import { parseListen, refusedListen } from './parse-listen.js';
import { openTls } from './open-tls.js';
import { openTrial, refuseSharedTrial, type OpenTrial } from './open-trial.js';
import { shareFleet } from './share-fleet.js';

export const DEFAULT_LISTEN = '127.0.0.1:8090';
const END_PATIENCE_MS = 2_000;
const pageFolder = join(packageRoot, 'dist', 'web-ground');

/** Runs the ground until a signal stops it. */
export async function runGround(folder: string, invocation: Invocation): Promise<CommandResult> {
  const { ports, logger, options, stop } = invocation;
  refuseSharedTrial(invocation);
  const { Fleet } = await import('../../ground/fleet.js');
  const { FleetFeed } = await import('../../ground/fleet-feed.js');
  const { GroundAccess } = await import('../../ground/ground-access.js');
  const { GroundServer } = await import('../../ground/ground-server.js');
  const { PeopleRegistry } = await import('../../ground/people-registry.js');
  const { RobotRegistry } = await import('../../ground/robot-registry.js');
  const place = { ...parseListen(String(options['listen']), DEFAULT_LISTEN), ...(await mapOf(options)) };
  const tls = await openTls(invocation);
  // With a shared database, the folder has nothing that two processes could write.
  await using _lock = sharesDatabase(invocation)
    ? undefined
    : await acquireRoleLock(ports.fs, dataFolder(folder), 'ground', logger);
  await using database = await openGroundDatabase(folder, invocation);
  const registered = await registryPlace(folder, database, invocation);
  const registry = new RobotRegistry(registered, ports);
  await using open = await openCatalogue(database, invocation);
  const people = new PeopleRegistry(registered, ports);
  using access = await GroundAccess.open(people, isLoopback(place.address), ports);
  await using history = await openHistory(database, invocation);
  // The service needs the fleet, and the fleet tells it what robots say.
  const told: { fetch?: OpenFetch | undefined } = {};
  const isFirst = (): boolean => shared?.view.isFirst !== false;
  await using refill = await openRefill(database, open, isFirst, invocation);
  const bound = { port: 0 };
  using deletedTimes = await openDeletedTimes(database, ports);
  using fleet = new Fleet(registry, {
    ...{ ...ports, history, deletedTimes, ...defined({ onReport: open?.onReport, onRemoved: refill?.note }) },
    onFetch: (robot, update) => told.fetch?.service.note(robot, update),
  });
  await using shared = await shareFleet(fleet, invocation);
  const view = shared?.view ?? fleet;
  refill?.start();
  using feed = new FleetFeed(() => view.rows(), ports.clock);
  const give: CommandSender = (...what) => view.give(...what);
  const { audit, commands } = await openCommands(folder, database, give, invocation);
  await using _alerts = await watchFleet({ fleet, view, registry, isFirst, database }, invocation);
  const nameOf = (name: string): string | undefined => view.nameOf(name);
  await using fetching = await openFetch({ database, open, fleet, nameOf, registry, commands }, invocation);
  told.fetch = fetching;
  await using files = await openRecordingFiles(open, invocation);
  const here = { address: place.address, port: () => bound.port, certificate: tls?.files.cert };
  await using trial = await openTrial(registry, here, invocation);
  const routes = [
    ...(await controlRoutes({ commands, audit, ask: give, people, registry }, (name) => view.nameOf(name))),
    ...(fetching?.routes ?? []),
    ...(await dataRoutes({ database, open, refill, view, registry }, invocation)),
    ...(await openDeletion({ database, deletedTimes, commands }, invocation)),
    ...[...(files?.routes ?? []), ...trial.routes],
  ];
  await using server = await GroundServer.listen(
    { ...place, hostname: ports.hostname, version, pageFolder, ...defined({ tls: tls?.files }) },
    {
      ...{ fleet, view, feed, access, routes, missing: missingIn(history), clock: ports.clock, logger },
      refused: () => shared?.refused() ?? 0,
      ...countsOf(history, refill),
    },
  ).catch(refusedListen(place));
  bound.port = server.port;
  const renewal = tls?.watch((renewed) => renew(renewed, server, trial));
  const where = { url: server.url, port: server.port, data: folder };
  logger.info('the ground listens', { ...where, database: database?.address ?? 'none', ...shared?.where });
  if (access.needsToken) await warnOfNobody(people, logger);
  await new Promise<void>((resolve) => onAbort(stop.signal, resolve));
  renewal?.cancel();
  stop.endWithin(END_PATIENCE_MS);
  return { exitCode: exitCodes.ok, json: { ok: true, robots: fleet.robots().length } };
}

/** What the history lacks, in words. */
function missingIn(history: HistoryWriter | undefined): () => string | undefined {
  return () => history?.status().problem || undefined;
}

/** Serves another certificate, which the vehicles of the bundled fleet then trust. */
function renew(files: TlsFiles, server: { renew(files: TlsFiles): void }, trial: OpenTrial): void {
  server.renew(files);
  trial.renew(files.cert);
}

/** Throws `REQUEST_INVALID`. */
async function mapOf(options: Invocation['options']): Promise<{ readonly map?: MapSource }> {
  const [tiles, attribution] = [options['tiles'], options['tilesAttribution']];
  if (typeof tiles !== 'string') return {};
  const { parseMapSource } = await import('../../ground/map-source.js');
  return { map: parseMapSource(tiles, typeof attribution === 'string' ? attribution : '') };
}

/** What operators and admins do, each in the audit log. */
async function controlRoutes(
  parts: Omit<CommandRouteParts, 'nameOf'> & AccessRouteParts,
  nameOf: CommandRouteParts['nameOf'],
): Promise<readonly Route[]> {
  const { accessRoutes } = await import('../../ground/access-routes.js');
  const { commandRoutes } = await import('../../ground/command-routes.js');
  return [...commandRoutes({ ...parts, nameOf }), ...accessRoutes(parts)];
}

/** Gives commands to robots, each in the audit log. */
async function openCommands(
  folder: string,
  database: Database | undefined,
  give: CommandSender,
  { ports: { fs, clock, random } }: Invocation,
): Promise<{ readonly audit: AuditLog; readonly commands: Commands }> {
  const { AuditFile } = await import('../../ground/audit-log.js');
  const { AuditTable } = await import('../../ground/audit-table.js');
  const { Commands: Giver } = await import('../../ground/commands.js');
  const audit = database === undefined ? new AuditFile(folder, fs) : new AuditTable(database);
  return { audit, commands: new Giver(give, { audit, clock, random }) };
}

async function warnOfNobody(people: Pick<People, 'list'>, logger: Logger): Promise<void> {
  if ((await people.list()).length === 0)
    logger.warn('nobody can use the pages and the API; add a user with holdfast ground user add');
}

/** What the database has, over HTTP. */
async function dataRoutes(
  parts: {
    readonly database: Database | undefined;
    readonly open: OpenCatalogue | undefined;
    readonly refill: Refill | undefined;
    readonly view: Pick<FleetView, 'nameOf'>;
    readonly registry: RobotRegistry;
  },
  invocation: Invocation,
): Promise<readonly Route[]> {
  const { database, open, refill } = parts;
  const { driveRoutes } = await import('../../ground/history/drive-routes.js');
  const { catalogueRoutes } = await import('../../ground/catalogue/catalogue-routes.js');
  const { historyRoutes } = await import('../../ground/history/history-routes.js');
  return [
    ...(database === undefined ? [] : [...historyRoutes(database), ...driveRoutes(database)]),
    ...(open === undefined ? [] : catalogueRoutes(open.catalogue)),
    ...(await openSql(database, invocation)),
    ...(database === undefined || refill === undefined ? [] : await openHoleRoutes(database, refill, parts)),
  ];
}

async function openDeletedTimes(
  database: Database | undefined,
  ports: Pick<Invocation['ports'], 'clock' | 'logger'>,
): Promise<DeletedTimes | undefined> {
  if (database === undefined) return undefined;
  const { DeletedTimes: Times } = await import('../../ground/deleted-times.js');
  return Times.open(database, ports);
}

/** Deletes what the database has of a time. */
async function openDeletion(
  parts: {
    readonly database: Database | undefined;
    readonly deletedTimes: DeletedTimes | undefined;
    readonly commands: Commands;
  },
  { ports: { clock } }: Invocation,
): Promise<readonly Route[]> {
  const { database, deletedTimes, commands } = parts;
  if (database === undefined || deletedTimes === undefined) return [];
  const { deletionRoutes } = await import('../../ground/deletion-routes.js');
  return deletionRoutes({ database, commands, clock, deletedTimes });
}

/** What the metrics have of them. */
function countsOf(
  history: HistoryWriter | undefined,
  refill: Refill | undefined,
): Pick<GroundServerParts, 'history' | 'holes'> {
  return {
    ...(history === undefined ? {} : { history: () => history.status() }),
    ...(refill === undefined ? {} : { holes: () => refill.counts() }),
  };
}

/** How many holes of the history are filled in, over HTTP. */
async function openHoleRoutes(
  database: Database,
  refill: Refill,
  { view, registry }: { readonly view: Pick<FleetView, 'nameOf'>; readonly registry: RobotRegistry },
): Promise<readonly Route[]> {
  const { isKnownRobot } = await import('../../ground/is-known-robot.js');
  const { holeRoutes } = await import('../../ground/refill/hole-routes.js');
  const sources = { nameOf: (name: string) => view.nameOf(name), enrolled: () => registry.list() };
  return holeRoutes({
    isKnown: (name) => isKnownRobot(database, name, sources),
    countsOf: (robot) => refill.countsOf(robot),
    shownOf: (robot) => refill.shownOf(robot),
  });
}
