import assert from 'node:assert/strict';
import type { RecorderStatus } from '../../src/core/status.js';
import { PageServer } from './page-server.js';
import { pageSuite } from './page-suite.js';
import {
  desktop,
  phone,
  screenshot,
  seriousFindings,
  textOf,
  waitForText,
  type PageWorld,
} from './page-support.js';
import { PretendFleet } from './pretend-fleet.js';

describe('encryption on the page', function () {
  this.timeout(120_000);
  let world: PageWorld;

  pageSuite((started) => (world = started));

  const BEFORE_SEALING = '.panel-storage dl > div:has(dt:text-is("Before sealing")) dd';
  const recipients = { encryptedFor: ['hfpub1_a', 'hfpub1_b'] };
  const fleetOf = (more: Partial<RecorderStatus>): PretendFleet => {
    const fleet = new PretendFleet({ robots: 3, mood: 'calm' });
    fleet.moreOfRecorder = more;
    return fleet;
  };

  for (const [size, options] of [
    ['desktop', desktop],
    ['phone', phone],
  ] as const) {
    it(`shows on a ${size} for whom it is, and which key encrypts before sealing`, async () => {
      const fleet = fleetOf({ ...recipients, atRestKeyName: 'key:0123456789abcdef' });
      await using server = await PageServer.start(world.folder, fleet);
      const page = await world.open(server.url, options);
      await waitForText(page, '.panel-storage', /encrypted for 2 recipients/);
      assert.equal(await textOf(page, BEFORE_SEALING), 'encrypted with key:0123456789abcdef');
      assert.deepEqual(await seriousFindings(page), []);
      await page.locator(BEFORE_SEALING).scrollIntoViewIfNeeded();
      await screenshot(page, `encryption-${size}`, size === 'phone');
      const [width, screen] = await page.evaluate<number[]>(
        '[document.documentElement.scrollWidth, innerWidth]',
      );
      assert.ok(Number(width) <= Number(screen), `${width} px wide on ${screen} px`);
      await page.context().close();
    });
  }

  it('says that segments are readable before sealing, and nothing if none is encrypted at all', async () => {
    for (const [more, shown] of [
      [recipients, ['not encrypted']],
      [{}, []],
    ] as const) {
      await using server = await PageServer.start(world.folder, fleetOf(more));
      const page = await world.open(server.url);
      await waitForText(page, '.panel-storage', /Sealed/);
      assert.deepEqual(await page.locator(BEFORE_SEALING).allTextContents(), shown);
      await page.context().close();
    }
  });
});
