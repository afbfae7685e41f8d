import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import type { SendPolicyStatus, SyncStatus } from '../../src/core/status.js';
import { PageServer } from './page-server.js';
import { pageSuite } from './page-suite.js';
import type { PageWorld } from './page-support.js';
import { desktop, phone, screenshot, seriousFindings, textOf, waitForText } from './page-support.js';
import { PretendFleet } from './pretend-fleet.js';

const WAITS_MS = 5_400_000;
const SPENT = { day: '2026-12-01', spentBytes: 1_500_000_000, budgetBytes: 2_000_000_000 };

/** A robot that is neither at the dock nor on a link that may cost nothing. */
function waiting(atMs: number): SendPolicyStatus {
  return {
    ...{ isOpen: false, since: `${atMs - WAITS_MS}000000` },
    reason: 'topic=/docked (data of /docked is false), or metered=no (unknown: no answer from D-Bus)',
    conditions: [
      { condition: 'topic=/docked', alternative: 0, state: 'unmet', reason: 'data of /docked is false' },
      { condition: 'metered=no', alternative: 1, state: 'unknown', reason: 'unknown: no answer from D-Bus' },
    ],
    ...{ passing: ['events', 'requested'], ...SPENT },
    waiting: { segments: 14, bytes: 3_000_000_000, objects: 28, requests: 560 },
  };
}

describe('the send policy on the page', function () {
  this.timeout(120_000);
  let world: PageWorld;

  pageSuite((started) => (world = started));

  const fact = (page: Page, term: string): Promise<string> =>
    textOf(page, `.panel-sync dl > div:has(dt:text-is("${term}")) dd`);
  const fleetOf = (more: (atMs: number) => Partial<SyncStatus>): PretendFleet => {
    const fleet = new PretendFleet({ robots: 3, mood: 'calm' });
    fleet.moreOfSync = more;
    return fleet;
  };

  for (const [size, options] of [
    ['desktop', desktop],
    ['phone', phone],
  ] as const) {
    it(`shows on a ${size} what waits for which condition, what it costs, and what was sent today`, async () => {
      const fleet = fleetOf((atMs) => ({
        sendPolicy: waiting(atMs),
        encryptedFor: ['hfpub1_a', 'hfpub1_b'],
      }));
      await using server = await PageServer.start(world.folder, fleet);
      const page = await world.open(server.url, options);
      await waitForText(page, '.panel-sync', /May send/);
      assert.match(
        await fact(page, 'May send'),
        /^no for 1 h 30 min: topic=\/docked \(data of \/docked is false\), or metered=no \(unknown: no answer/,
      );
      assert.match(
        await fact(page, 'Waiting'),
        /^14 segments, 3\.0 GB: 28 objects, about 560 requests, 1\.5 days of the budget; still sent: events, requested$/,
      );
      assert.match(await fact(page, 'Sent on 2026-12-01'), /^1\.5 GB of 2\.0 GB \(75 %\)$/);
      assert.match(await fact(page, 'Encrypted'), /^for 2 recipients$/);
      assert.deepEqual(await seriousFindings(page), []);
      const panel = page.locator('.panel-sync');
      await panel.scrollIntoViewIfNeeded();
      await screenshot(page, `send-policy-${size}`, size === 'phone');
      const [width, screen] = await page.evaluate<number[]>(
        '[document.documentElement.scrollWidth, innerWidth]',
      );
      assert.ok(Number(width) <= Number(screen), `${width} px wide on ${screen} px`);
      await page.context().close();
    });
  }

  it('follows the policy while it changes, and names conditions that are unknown although segments are sent', async () => {
    let isOpen = false;
    const fleet = fleetOf((atMs) => {
      const { reason: _reason, ...rest } = waiting(atMs);
      const open = { ...rest, isOpen: true, waiting: { segments: 0, bytes: 0, objects: 0, requests: 0 } };
      return { sendPolicy: isOpen ? open : waiting(atMs) };
    });
    await using server = await PageServer.start(world.folder, fleet);
    const page = await world.open(server.url);
    await waitForText(page, '.panel-sync', /May send\s*no/);
    isOpen = true;
    await waitForText(page, '.panel-sync', /May send\s*yes/);
    // Nothing waits any more, but a condition that cannot be known may be a fault.
    assert.match(await fact(page, 'Unknown conditions'), /^metered=no \(unknown: no answer from D-Bus\)$/);
    assert.doesNotMatch(await textOf(page, '.panel-sync'), /Waiting/);
    await page.context().close();
  });
});
