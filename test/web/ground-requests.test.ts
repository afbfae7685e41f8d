import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { fetchDesk } from '../../src/app/monitoring/uplink-requests.js';
import { present } from '../../src/core/present.js';
import type { SyncEngine } from '../../src/sync/sync-engine.js';
import { eventually } from '../../src/testing/waiting.js';
import { EmbeddedServer } from '../ground/database/database-world.js';
import { FetchGround } from '../ground/fetch/fetch-world.js';
import { DrivingRobot } from '../ground/ground-world.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, SyncWorld } from '../sync/sync-world.js';
import { pageSuite } from './page-suite.js';
import type { PageWorld } from './page-support.js';
import {
  buildGroundPages,
  desktop,
  phone,
  screenshot,
  seriousFindings,
  waitForText,
} from './page-support.js';

describe('the page of requests', function () {
  this.timeout(60_000);
  let pages: PageWorld;
  let server: EmbeddedServer;
  let ground: FetchGround;
  let disk: SyncWorld;
  let robot: DrivingRobot;
  let engine: SyncEngine;
  let isDown = false;

  beforeEach(async () => {
    const store = new MemoryStore();
    store.faults = ({ method, key }) => {
      if (isDown && method !== 'read' && key.endsWith('.mcap')) throw new Error('link lost');
      return undefined;
    };
    ground = await FetchGround.start(server, [store]);
    disk = await SyncWorld.create();
    for (let n = 0; n < 4; n++) await disk.seal(2 * KIB, { robot: 'robot_7' });
    await disk.evictOf1970(present(disk.sealed[0]));
    engine = await disk.open(store, { options: { upload: 'requested', requestPollMs: 0 } });
    void engine.run(new AbortController().signal).catch(() => undefined);
    const wakes = {
      syncNow: () => {
        engine.syncNow();
        return Promise.resolve();
      },
    };
    const requests = fetchDesk('robot_7', disk.folder.root, wakes, fs);
    const token = await ground.world.registry.enrol('robot_7');
    robot = new DrivingRobot('robot_7', ground.world.url, token, 0n, { requests });
    await ground.world.seen('robot_7', 'a sample', ({ samples }) => samples > 0);
  });
  afterEach(async () => {
    isDown = false;
    await robot[Symbol.asyncDispose]();
    await engine.close();
    await ground[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
  });
  pageSuite(async (started) => {
    pages = started;
    server = await EmbeddedServer.start();
  }, buildGroundPages);
  // It does not exist after a failed start.
  after(() => (server as EmbeddedServer | undefined)?.[Symbol.asyncDispose]());

  const url = (): string => `http://127.0.0.1:${ground.world.port}/#/requests`;

  async function ask(page: Page, from = '1970-01-01T00:00:01', to = '1970-01-01T00:00:04'): Promise<void> {
    await page.locator('[name=robot]').fill('robot_7');
    await page.locator('[name=from]').fill(from);
    await page.locator('[name=to]').fill(to);
    await page.getByRole('button', { name: 'Request', exact: true }).click();
  }

  it('asks a robot, and shows what was sent, and what is gone and why', async () => {
    const page = await pages.open(url(), { ...desktop, timezoneId: 'UTC' });
    await waitForText(page, '.panel-requests', /Nothing was requested yet/);
    await page.getByRole('button', { name: 'Request', exact: true }).click();
    await waitForText(page, '.request-form .outcome', /Enter a robot/);
    await ask(page);
    await waitForText(page, '.request-form .outcome', /robot_7: requested/);
    await waitForText(
      page,
      '[data-state=done]',
      /Done, 1 segment gone.*6\.1\skB of 6\.1\skB, 3 of 3 segments in the store/s,
    );
    await page.locator('.request-details summary').click();
    await waitForText(page, '.request-details', /Segment 1.*1 message.*quota/s);
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-requests-desktop');
    await page.locator('nav.pages a', { hasText: 'Audit' }).click();
    await waitForText(page, '.audit-grid tbody', /robot_7.*fetch.*done/s);
  });

  it('shows a request that cannot be sent now, and withdraws it after a confirmation', async () => {
    isDown = true;
    const page = await pages.open(url(), { ...phone, timezoneId: 'UTC' });
    await ask(page);
    await waitForText(page, '[data-request]', /(Queued|Sending).*0 of 3 segments in the store/s);
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(width <= phone.viewport.width, `${width} px wide`);
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-requests-phone');
    await page.getByRole('button', { name: 'Withdraw the request to robot_7' }).click();
    const dialog = page.getByRole('dialog', { name: 'robot_7: Withdraw the request?' });
    await dialog.getByRole('button', { name: 'Withdraw' }).click();
    await waitForText(page, '[data-state=withdrawn]', /Withdrawn.*By local|Withdrawn.*withdrawn by local/is);
    await eventually(
      async () => (await fs.readdir(disk.folder.requests)).length === 0,
      'the robot forgets it',
    );
  });

  it('shows a viewer everything, and lets only an operator request', async () => {
    await ground.post('api/requests', {
      robot: 'robot_9',
      from: '1970-01-01',
      to: '1970-01-02',
      via: 'store',
    });
    const token = await ground.world.people.add('vera', 'viewer');
    await eventually(async () => (await ground.get('api/requests')).status === 401, 'a token is needed');
    const page = await pages.open(url(), { ...desktop, timezoneId: 'UTC' });
    await page.locator('[name=token]').fill(token);
    await page.keyboard.press('Enter');
    await waitForText(page, '.panel-request', /may look, but not request/);
    await waitForText(page, '[data-request]', /robot_9.*Waiting.*in the store until the robot looks/s);
    assert.equal(await page.getByRole('button', { name: /Withdraw/ }).count(), 0);
  });
});
