import type { Page } from 'playwright-core';
import { noBrowserBecause } from '../test/support/browser.js';
import { PageServer } from '../test/web/page-server.js';
import { desktop, PageWorld } from '../test/web/page-support.js';
import { PretendFleet } from '../test/web/pretend-fleet.js';
import { scrollTopics, type Scrolled } from '../test/web/scroll-topics.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';

/**
 * Bounds for a machine that others load tenfold. Measured at rest: 0.06 to 0.12 of a core, 8 to 22 ms of CPU per
 * frame while somebody scrolls, longest task 104 ms. With every row drawn: 0.28, 295 ms, 387 ms.
 */
const BUSY_SHARE_MAX = 0.25;
const FRAME_MAX_MS = 50;
const LONG_TASK_MAX_MS = 200;

const REST_MS = 3_000;
const SCROLL_MS = 4_000;

interface Run {
  /** CPU of the page at rest, as a share of one core. */
  readonly share: number;
  /** CPU of one frame while the topics are scrolled, without what the updates cost, milliseconds. */
  readonly perFrameMs: number;
  /** The longest task, without the time others had the processor, milliseconds. */
  readonly longestMs: number;
}

/** What the dashboard costs the machine that shows it: 300 topics of 20 robots, at rest and while somebody scrolls. */
export async function benchPage({ rounds, scale, say }: BenchContext): Promise<BenchReport> {
  const why = noBrowserBecause();
  if (why !== undefined) {
    say(`page: not measured, ${why}`);
    return { results: { skipped: why }, misses: [`page: not measured, ${why}`] };
  }
  const runs: Run[] = [];
  await using world = await PageWorld.start();
  for (let round = 0; round < rounds; round++) runs.push(await oneRound(world, scale));
  const of = (key: keyof Run): number => median(runs.map((run) => run[key]));
  const [share, perFrameMs, longestMs] = [of('share'), of('perFrameMs'), of('longestMs')];
  const facts = [
    [`${(share * 100).toFixed(1)} % of a core at rest`, share, BUSY_SHARE_MAX, `${BUSY_SHARE_MAX * 100} %`],
    [`${perFrameMs.toFixed(1)} ms of CPU per frame`, perFrameMs, FRAME_MAX_MS, `${FRAME_MAX_MS} ms`],
    [`longest task ${longestMs.toFixed(0)} ms`, longestMs, LONG_TASK_MAX_MS, `${LONG_TASK_MAX_MS} ms`],
  ] as const;
  say('');
  say(`page, 300 topics of 20 robots: ${facts.map(([text]) => text).join(', ')}`);
  const misses = facts
    .filter(([, value, max]) => !(value <= max))
    .map(([text, , , target]) => `page: ${text}, target ${target}`);
  return { results: { runs, share, perFrameMs, longestMs }, misses };
}

async function oneRound(world: PageWorld, scale: number): Promise<Run> {
  await using server = await PageServer.start(
    world.folder,
    new PretendFleet({ robots: 20, mood: 'trouble' }),
  );
  const page = await world.open(server.url, { ...desktop, reducedMotion: 'no-preference' });
  try {
    await page.locator('.topics-grid tbody tr').first().waitFor();
    await page.locator('.chart-box canvas').nth(3).waitFor();
    await page.waitForTimeout(1_000);
    const atRest = await pageClocks(page);
    await page.waitForTimeout(REST_MS * scale);
    const rest = await atRest();
    const inMotion = await pageClocks(page);
    const seen = await page.evaluate<Scrolled>(scrollTopics(SCROLL_MS * scale));
    const motion = await inMotion();
    const share = rest.cpuMs / rest.lastedMs;
    return {
      share,
      // The updates come at their own pace: what they cost is not the scrolling's.
      perFrameMs: (motion.cpuMs - share * seen.lastedMs) / seen.frames,
      // Other programs make every task seem longer than it is.
      longestMs: seen.longestMs / Math.max(1, motion.wallMs / motion.cpuMs),
    };
  } finally {
    await page.context().close();
  }
}

type Clocks = 'wallMs' | 'cpuMs' | 'lastedMs';

/** How long the page's thread has been in tasks since the call, and how much CPU it had for them. */
async function pageClocks(page: Page): Promise<() => Promise<Record<Clocks, number>>> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable');
  const read = async (): Promise<Record<Clocks, number>> => {
    const { metrics } = await cdp.send('Performance.getMetrics');
    const msOf = (wanted: string): number =>
      (metrics.find(({ name }) => name === wanted)?.value ?? Number.NaN) * 1_000;
    return { wallMs: msOf('TaskDuration'), cpuMs: msOf('ThreadTime'), lastedMs: performance.now() };
  };
  const before = await read();
  return async () => {
    const now = await read();
    return {
      wallMs: now.wallMs - before.wallMs,
      cpuMs: now.cpuMs - before.cpuMs,
      lastedMs: now.lastedMs - before.lastedMs,
    };
  };
}
