import assert from 'node:assert/strict';
import { silentLogger } from '../../src/core/logger.js';
import { encodeManifest, manifestKey } from '../../src/core/manifest.js';
import { catalogueRoutes } from '../../src/ground/catalogue/catalogue-routes.js';
import { Catalogue } from '../../src/ground/catalogue/catalogue.js';
import type { Database } from '../../src/ground/database/database.js';
import { migrate } from '../../src/ground/database/migrate.js';
import { migrations } from '../../src/ground/database/migrations.js';
import { systemClock } from '../../src/host/system-clock.js';
import { lacking } from '../../src/testing/lacking.js';
import { EmbeddedServer } from '../ground/database/database-world.js';
import { GroundWorld } from '../ground/ground-world.js';
import { noBrowserBecause } from '../support/browser.js';
import { MemoryStore } from '../support/memory-store.js';
import { syntheticManifest } from '../support/synthetic-manifest.js';
import { buildGroundPages, PageWorld, screenshot, seriousFindings, waitForText } from './page-support.js';

const COUNT = 240;

describe('the page of recordings', function () {
  this.timeout(60_000);
  let pages: PageWorld;
  let world: GroundWorld;
  const closers: (() => PromiseLike<unknown>)[] = [];

  before(async function () {
    const why = noBrowserBecause();
    if (why !== undefined) lacking(this, 'browser', why);
    await buildGroundPages();
    pages = await PageWorld.start();
    closers.push(() => pages[Symbol.asyncDispose]());
    const server = await EmbeddedServer.start();
    closers.push(() => server[Symbol.asyncDispose]());
    const database: Database = await server.connect();
    closers.push(() => database[Symbol.asyncDispose]());
    await migrate(database, migrations, silentLogger);
    const catalogue = new Catalogue(database, [filledStore()], { clock: systemClock, logger: silentLogger });
    closers.push(() => catalogue[Symbol.asyncDispose]());
    await catalogue.refresh();
    world = await GroundWorld.start();
    closers.push(() => world[Symbol.asyncDispose]());
    await world.kill();
    world.moreRoutes = catalogueRoutes(catalogue);
    await world.startServer();
  });
  after(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  function filledStore(): MemoryStore {
    const store = new MemoryStore({ uri: 'memory:one' });
    for (let n = 1; n <= COUNT; n++) {
      const manifest = {
        ...syntheticManifest(n),
        ...(n === 7 ? { tags: { mission: 'm_3' } } : {}),
      };
      store.content.objects.set(manifestKey(manifest.key), Buffer.from(encodeManifest(manifest)));
      store.content.objects.set(manifest.key, Buffer.alloc(manifest.file.bytes));
    }
    return store;
  }

  it('finds the newest first, more on request, and what fits', async () => {
    const page = await pages.open(`http://127.0.0.1:${world.port}/#/recordings`);
    await page.getByRole('button', { name: 'Search' }).click();
    await waitForText(page, '.recordings-grid tbody tr', new RegExp(`^${COUNT}\\s*robot 0`));
    assert.equal(await page.locator('.recordings-grid tbody tr').count(), 200);
    await screenshot(page, 'ground-recordings-desktop', false);
    await page.getByRole('button', { name: 'Show more' }).click();
    await waitForText(page, '.recordings-grid tbody tr', /^1\s*robot 1/);
    assert.equal(await page.locator('.recordings-grid tbody tr').count(), COUNT);
    await page.locator('[name=tag]').fill('mission=m_3');
    await page.keyboard.press('Enter');
    await waitForText(page, '.recordings-grid tbody', /^7\s*robot 3.*stored.*mission=m_3$/s);
    assert.deepEqual(await seriousFindings(page), []);
    await page.locator('[name=tag]').fill('mission');
    await page.keyboard.press('Enter');
    await waitForText(page, '.missing', /tag is "mission", allowed/);
    assert.deepEqual(pages.complaints, []);
  });
});
