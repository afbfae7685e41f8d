import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../src/core/present.js';
import { renderTable } from '../src/host/human.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';
import { runCase } from './run-child.js';

const SEGMENTS = 100_000;
const TARGET_RATIO = 3;
const TARGET_RESIDENT_MB = 200;

interface CatalogueCase {
  readonly seconds: number;
  readonly rows: number;
  readonly residentMb: number;
}

const variants = ['one by one', 'no cache', 'first', 'second'] as const;

/** Listing a folder store of many segments: with a new cache, with a known one, and reading every manifest. */
export async function benchCatalogue({ rounds, folder, scale, say }: BenchContext): Promise<BenchReport> {
  const store = join(folder, 'store');
  const segments = Math.round(SEGMENTS * scale);
  const { bytes } = await runCase<{ bytes: number }>('catalogue-store', [segments, store]);
  const runs = new Map<string, CatalogueCase[]>(variants.map((variant) => [variant, []]));
  for (let round = 0; round < rounds; round++) {
    const cache = join(folder, `cache-${round}`);
    for (const variant of variants) {
      const one = await runCase<CatalogueCase>('catalogue-case', [variant, store, cache]);
      if (one.rows !== segments) throw new Error(`${variant}: ${one.rows} rows of ${segments}`);
      present(runs.get(variant)).push(one);
    }
    await rm(cache, { recursive: true });
  }
  await rm(store, { recursive: true });
  const results: Record<string, { seconds: number; residentMb: number }> = {};
  for (const [variant, cases] of runs) {
    results[variant] = {
      seconds: median(cases.map(({ seconds }) => seconds)),
      residentMb: median(cases.map(({ residentMb }) => residentMb)),
    };
  }
  const slow = results['one by one']!.seconds;
  const heads = ['', 'seconds', 'times as fast', 'peak MB'].map((head, i) => ({ head, right: i > 0 }));
  const rows = Object.entries(results).map(([variant, { seconds, residentMb }]) => [
    variant,
    seconds.toFixed(2),
    (slow / seconds).toFixed(1),
    residentMb.toFixed(0),
  ]);
  const about = `${segments.toLocaleString('en')} segments, ${(bytes / 1e6).toFixed(0)} MB of manifests`;
  ['', `catalogue: ${about} in a folder`, ...renderTable(heads, rows)].forEach((line) => say(line));
  const { seconds, residentMb } = results['second']!;
  const misses = [
    ...(slow / seconds < TARGET_RATIO
      ? [
          `catalogue: the second listing is ${(slow / seconds).toFixed(1)} times as fast, target ${TARGET_RATIO}`,
        ]
      : []),
    ...(residentMb > TARGET_RESIDENT_MB
      ? [`catalogue: ${residentMb.toFixed(0)} MB, target ${TARGET_RESIDENT_MB}`]
      : []),
  ];
  return { results, misses };
}
