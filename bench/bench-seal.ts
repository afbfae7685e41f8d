import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../src/core/present.js';
import { renderTable } from '../src/host/human.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';
import { runCase } from './run-child.js';

const BYTES = 256 * 1024 * 1024;
/** Encryption may cost a tenth of sealing, if both copy every payload; so may that of the WAL beside it. */
const ENCRYPTED_TARGET = 0.9;
const variants = ['plain', 'encrypted', 'at-rest'] as const;

/** With payloads in place, plain sealing copies nothing and encrypted sealing everything: what that costs is only stated. */
const cases = [
  { name: '1 kB, zstd', compression: 'zstd', placement: 'copied', isJudged: true },
  { name: '1 kB, uncompressed', compression: 'none', placement: 'copied', isJudged: true },
  { name: '1 MB in place', compression: 'none', placement: 'in-place', isJudged: false },
] as const;

interface SealCase {
  readonly seconds: number;
  readonly sealedBytes: number;
  readonly residentMb: number;
}

/** Seals the same WAL segments plain, for a recipient, and for a recipient from an encrypted WAL, in turn. */
export async function benchSeal({ rounds, folder, scale, say }: BenchContext): Promise<BenchReport> {
  const results: Record<string, unknown> = {};
  const misses: string[] = [];
  const rows: string[][] = [];
  const bytes = Math.max(8 * 1024 * 1024, Math.round(BYTES * scale));
  for (const { name, compression, placement, isJudged } of cases) {
    const runs = new Map<string, SealCase[]>(variants.map((variant) => [variant, []]));
    for (let round = 0; round < rounds; round++) {
      // The first one finds another disk than the second, so each begins in turn.
      for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
        const data = join(folder, 'seal-data');
        await mkdir(data, { recursive: true });
        const args = [variant, compression, placement, bytes, data];
        present(runs.get(variant)).push(await runCase<SealCase>('seal-case', args));
        await rm(data, { recursive: true, force: true });
      }
    }
    const of = (variant: string, pick: (one: SealCase) => number): number =>
      median(present(runs.get(variant)).map(pick));
    const rate = (variant: string): number => bytes / 1e6 / of(variant, ({ seconds }) => seconds);
    const ratio = rate('encrypted') / rate('plain');
    const atRestRatio = rate('at-rest') / rate('encrypted');
    results[name] = {
      ratio,
      atRestRatio,
      ...{ plainMbPerS: rate('plain'), encryptedMbPerS: rate('encrypted'), atRestMbPerS: rate('at-rest') },
    };
    for (const variant of variants) {
      const share = (rate(variant) / rate('plain')).toFixed(3);
      const memory = of(variant, ({ residentMb }) => residentMb).toFixed(0);
      rows.push([name, variant, rate(variant).toFixed(1), share, memory]);
    }
    if (isJudged && ratio < ENCRYPTED_TARGET) {
      misses.push(`seal ${name}: encrypted ${ratio.toFixed(3)} of plain, target ${ENCRYPTED_TARGET}`);
    }
    if (isJudged && atRestRatio < ENCRYPTED_TARGET) {
      misses.push(`seal ${name}: at-rest ${atRestRatio.toFixed(3)} of encrypted, target ${ENCRYPTED_TARGET}`);
    }
  }
  say('');
  say('sealing, payload bytes per second of one thread');
  const heads = ['payloads', '', 'MB/s', 'of plain', 'peak MB'];
  renderTable(
    heads.map((head, i) => ({ head, right: i > 1 })),
    rows,
  ).forEach((line) => say(line));
  return { results, misses };
}
