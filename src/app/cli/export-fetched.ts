import { createWriteStream } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HoldfastError } from '../../core/errors.js';
import { humanCount, printable } from '../../host/human.js';
import { openScratchFolder } from '../../host/scratch-folder.js';
import { version } from '../../host/version.js';
import type { Wanted } from '../../recordings/fetch.js';
import { configInvalid, type ConfigFault } from '../../settings/fault.js';
import type { Invocation } from './command-definition.js';
import type { GroundClient } from './ground-client.js';
import { openReading } from './reading-arguments.js';

const LOOK_MS = 1_000;
const LOOKS_MAX = 60;

/**
 * Writes what was wanted, and nothing else, as `export.mcap` into a folder: only the topics and the time, of all
 * segments in a place. Returns false if a part could not be read.
 */
export async function exportFetched(
  invocation: Invocation,
  from: string,
  wanted: Omit<Wanted, 'robot'> & { readonly robots: readonly string[] },
  out: string,
): Promise<boolean> {
  const { ports, stop, terminal } = invocation;
  const { parseExportOptions } = await import('../../jobs/export/parse-export-options.js');
  const { runExport } = await import('../../jobs/export/run-export.js');
  const { FolderPlace } = await import('../../jobs/export/folder-place.js');
  const faults: ConfigFault[] = [];
  const options = parseExportOptions(
    {
      ...{ format: 'mcap', to: out, fromTime: String(wanted.from), toTime: String(wanted.to) },
      ...(wanted.robots.length > 0 && { robots: wanted.robots }),
      ...(wanted.topics && { topics: wanted.topics }),
    },
    faults,
  );
  if (options === undefined || faults.length > 0) throw configInvalid(faults);
  await using reading = await openReading({ ...invocation, args: [from] });
  const place = new FolderPlace(resolve(out), reading.copyFs);
  const { ok, manifest } = await runExport({
    ...{ from: reading.from, segments: await reading.segments(options.filter), options, place, version },
    ...{ listingProblems: [...reading.problems], clock: ports.clock, random: ports.random },
    ...{ signal: stop.signal, onProblem: reading.onProblem, onProgress: () => undefined },
  });
  terminal.live('');
  const { length } = manifest.topics;
  await invocation.say(
    `${humanCount(manifest.num_records)} messages of ${length} topics in ${printable(out)}`,
  );
  return ok;
}

/**
 * The same from a ground, which reads the segments from its stores.
 *
 * @param keys - Of segments that the robot has just sent: the ground may learn of them a moment later.
 */
export async function exportFromGround(
  invocation: Invocation,
  client: GroundClient,
  wanted: Wanted,
  { keys, out }: { readonly keys: readonly string[]; readonly out: string },
): Promise<boolean> {
  const { ports, stop } = invocation;
  await using scratch = await openScratchFolder('fetch');
  let found = await recordingsOf(client, wanted);
  const isThere = (key: string): boolean => found.some((one) => one.key === key);
  for (let look = 0; look < LOOKS_MAX && !keys.every(isThere); look++) {
    await ports.clock.sleep(LOOK_MS, stop.signal);
    found = await recordingsOf(client, wanted);
  }
  if (found.length === 0 || !keys.every(isThere))
    throw new HoldfastError(
      'STATE_REFUSED',
      'the catalogue of the ground does not have the segments; the ground needs --store with the store of the robot',
    );
  for (const { recording } of found) {
    const link = (await client.ask('POST', `api/recordings/${recording}/link`, {})) as { path: string };
    await download(new URL(link.path, client.base), join(scratch.path, `${recording}.mcap`), invocation);
  }
  return await exportFetched(invocation, scratch.path, { ...wanted, robots: [] }, out);
}

interface Stored {
  readonly recording: number;
  readonly key: string;
}

async function recordingsOf(client: GroundClient, { robot, from, to }: Wanted): Promise<readonly Stored[]> {
  const found: Stored[] = [];
  const query = new URLSearchParams({ robot, from: String(from), to: String(to), state: 'stored' });
  for (let after: string | undefined; ;) {
    if (after !== undefined) query.set('after', after);
    const answer = await client.ask('GET', `api/recordings?${query.toString()}`);
    const page = answer as { readonly recordings: readonly Stored[]; readonly next?: string };
    found.push(...page.recordings);
    after = page.next;
    if (after === undefined) return found;
  }
}

async function download(from: URL, to: string, { stop: { signal } }: Invocation): Promise<void> {
  const answer = await fetch(from, { signal });
  if (!answer.ok || answer.body === null)
    throw new HoldfastError('STATE_REFUSED', `the ground does not send the file: status ${answer.status}`);
  await pipeline(Readable.fromWeb(answer.body), createWriteStream(to), { signal });
}
