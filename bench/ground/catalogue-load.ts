import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../src/core/logger.js';
import { Catalogue } from '../../src/ground/catalogue/catalogue.js';
import { searchRecordings, type RecordingFilter } from '../../src/ground/catalogue/search-recordings.js';
import { migrations } from '../../src/ground/database/migrations.js';
import { openDatabase } from '../../src/ground/database/open-database.js';
import { systemClock } from '../../src/host/system-clock.js';
import { openStore } from '../../src/stores/open-store.js';
import { median } from '../measure.js';
import { runCase } from '../run-child.js';

/** The catalogue of a ground with many segments. */
export interface CatalogueResult {
  readonly segments: number;
  readonly rebuildS: number;
  /** Listing again, with nothing new. */
  readonly refreshS: number;
  /** The median of each search, milliseconds. */
  readonly searchMs: Readonly<Record<string, number>>;
}

/** A time in the middle of the recordings. */
const middle = (segments: number): bigint => 1_795_222_800_000_000_000n + BigInt(segments) * 30_000_000_000n;

function searches(segments: number): Readonly<Record<string, RecordingFilter>> {
  const from = middle(segments);
  return {
    newest: {},
    robot: { robot: 'robot 1' },
    time: { from, to: from + 3_600_000_000_000n },
    topic: { topic: '/robot 1/topic_3' },
    'topic pattern': { topic: '*topic_7' },
    'robot and time': { robot: 'robot 2', from, to: from + 86_400_000_000_000n },
    'gap, none': { gap: '*' },
    'event, none': { event: 'hard brake' },
  };
}

const TIMES = 7;

/** Fills a store with manifests, and measures rebuilding and searching. */
export async function loadCatalogue(folder: string, segments: number): Promise<CatalogueResult> {
  const path = join(folder, 'catalogue-store');
  await runCase('catalogue-store', [segments, path]);
  const ports = { fs, clock: systemClock, random: randomBytes, logger: silentLogger };
  const where = { kind: 'embedded', folder: join(folder, 'catalogue-ground'), user: undefined } as const;
  await using database = await openDatabase(where, migrations, ports);
  await using store = await openStore(`dir:${path}`, {}, { ...ports, fileSystem: fs });
  await using catalogue = new Catalogue(database, [store], ports);
  const rebuildS = await seconds(() => catalogue.rebuild());
  const refreshS = await seconds(() => catalogue.refresh());
  const recordings = (await catalogue.stores())[0]?.recordings ?? 0;
  if (recordings !== segments) throw new Error(`${recordings} of ${segments} segments are in the catalogue`);
  const searchMs: Record<string, number> = {};
  for (const [name, filter] of Object.entries(searches(segments))) {
    const times: number[] = [];
    for (let i = 0; i < TIMES; i++)
      times.push(1_000 * (await seconds(() => searchRecordings(database, filter, { limit: 100 }))));
    searchMs[name] = median(times);
  }
  await fs.rm(path, { recursive: true });
  return { segments, rebuildS, refreshS, searchMs };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1_000;
}
