import { describeError, HoldfastError } from '../../../core/errors.js';
import { onAbort } from '../../../core/on-abort.js';
import { defined } from '../../../core/defined.js';
import { exitCodes } from '../../../host/exit-code.js';
import { version } from '../../../host/version.js';
import type { AccessToken } from '../../../monitors/http/access.js';
import { parseBytes } from '../../../settings/units.js';
import { configInvalid } from '../../../settings/fault.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { openTls } from '../open-tls.js';
import { parseListen, refusedListen } from '../parse-listen.js';
import { addCacheFlag, FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';

const DEFAULT_LISTEN = '127.0.0.1:8470';
const SOCKETS_MAX = 200;
/** A client waits while a merged file is made. */
const IDLE_MS = 15 * 60_000;
const END_PATIENCE_MS = 2_000;

export const serveCommand: CommandDefinition = {
  name: 'serve',
  summary: 'answer for a recording over HTTP: one merged MCAP of any robot, time and topics (docs/serve.md)',
  description:
    'Serves a data folder, a store or MCAP files to viewers and scripts until a signal stops it. ' +
    '/merged.mcap?robot=R&from=T&to=T&topic=N is one MCAP file with the messages of that window, with an index: ' +
    'Foxglove and the MCAP libraries open it by its address and read only the parts that they show. ' +
    '/api/robots and /api/segments list what is there, and /api/window gives a link for a viewer.\n\n' +
    'It listens on this machine only. Another address needs --token-file, and should have --tls-cert.',
  examples: [
    ['holdfast serve s3://recordings/fleet-a', 'a store, for this machine'],
    [
      'curl -G http://127.0.0.1:8470/merged.mcap -d robot=robot_1 -d from=2026-11-21T08:00Z -o drive.mcap',
      'one window of it as a file',
    ],
    ['holdfast serve rec --listen 0.0.0.0:8470 --token-file viewers', 'a data folder, for other machines'],
  ],
  parameters: readingParameters,
  configure(command) {
    addCacheFlag(command);
    command
      .argument('[from]', FROM_HELP)
      .option('--listen <address>', 'address and port', DEFAULT_LISTEN)
      .option('--token-file <file>', 'lines "viewer TOKEN"; needed for other machines')
      .option('--tls-cert <file>', 'certificate with its chain, PEM; read again when it changes')
      .option('--tls-key <file>', 'key of the certificate, PEM')
      .option('--scratch-bytes <size>', 'of all merged files together, in the temporary folder', '10GiB');
  },
  async run(invocation) {
    const { ports, options, stop, logger } = invocation;
    const place = parseListen(String(options['listen']), DEFAULT_LISTEN);
    const maxBytes = parseScratchBytes(options['scratchBytes']);
    const tokens = await readTokens(invocation, place.address);
    const tls = await openTls(invocation);
    const { Access } = await import('../../../monitors/http/access.js');
    const { HttpServer } = await import('../../../monitors/http/http-server.js');
    const { StaticFiles } = await import('../../../monitors/http/static-files.js');
    const { openScratchFolder } = await import('../../../host/scratch-folder.js');
    const { MergedFiles } = await import('../../../jobs/serve/merged-files.js');
    const { serveRoutes } = await import('../../../jobs/serve/serve-routes.js');
    const { serveApi } = await import('../../../jobs/serve/serve-schemas.js');
    const { listRows } = await import('../../../recordings/list-segments.js');
    await using reading = await openReading(invocation);
    await using scratch = await openScratchFolder('serve');
    const { clock } = ports;
    await using merged = new MergedFiles({
      ...{
        robotsNamed: (given) => reading.robotsNamed(given),
        list: (filter, onProblem) => reading.segments(filter, onProblem),
        fs: reading.copyFs,
        folder: scratch.path,
        maxBytes,
        version,
        clock,
        logger,
      },
    });
    const { located, files, onProblem, openCatalogue } = reading;
    const { signal } = stop;
    const routes = serveRoutes({
      ...{ files: merged, secret: ports.random(32), clock },
      rows: async function* (given) {
        const filter = { ...given, ...(await reading.robotsNamed(given.robots)) };
        yield* listRows(located, { files, onProblem, openCatalogue, signal, filter });
      },
    });
    await using server = await HttpServer.listen(
      {
        ...{ ...place, tries: 1, hostname: ports.hostname, version, maxClients: 0, maxSockets: SOCKETS_MAX },
        ...{ allowedHosts: [], anyHostWithToken: true, keepsAlive: true, idleMs: IDLE_MS },
        ...defined({ tls: tls?.files }),
      },
      {
        ...{ routes, api: serveApi, access: new Access(tokens), files: StaticFiles.none, clock, logger },
        feed: { join: () => () => undefined },
      },
    ).catch(refusedListen(place));
    const renewal = tls?.watch((renewed) => server.renew(renewed));
    logger.info('serving', { url: server.url, from: reading.from });
    await invocation.say(`serving ${reading.from} on ${server.url}`);
    await new Promise<void>((resolve) => onAbort(stop.signal, resolve));
    renewal?.cancel();
    stop.endWithin(END_PATIENCE_MS);
    return { exitCode: exitCodes.ok, json: { ok: true } };
  },
};

function parseScratchBytes(given: unknown): number {
  const bytes = parseBytes(String(given));
  if (bytes !== undefined && bytes > 0) return bytes;
  const allowed = 'allowed: a size, such as 10GiB';
  throw configInvalid([{ where: '--scratch-bytes', path: 'scratch-bytes', value: given, allowed }]);
}

/** Throws `REQUEST_INVALID` if they are needed and absent, or if the file is not valid. */
async function readTokens({ options, ports }: Invocation, address: string): Promise<readonly AccessToken[]> {
  const path = options['tokenFile'];
  const { isLoopback } = await import('../../../monitors/http/request-checks.js');
  if (typeof path !== 'string') {
    if (isLoopback(address)) return [];
    const message = `--token-file is missing, and other machines reach ${address}: name a file with lines "viewer TOKEN"`;
    throw new HoldfastError('REQUEST_INVALID', message, { facts: { address } });
  }
  const { parseTokenFile } = await import('../../../monitors/http/access.js');
  try {
    return parseTokenFile(await ports.fs.readFile(path, 'utf8'));
  } catch (cause) {
    throw new HoldfastError(
      'REQUEST_INVALID',
      `the token file ${path} cannot be used: ${describeError(cause)}`,
      {
        cause,
        facts: { path },
      },
    );
  }
}
