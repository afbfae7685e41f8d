import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { encodeManifest, manifestKey } from '../../src/core/manifest.js';
import { catalogueRoutes } from '../../src/ground/catalogue/catalogue-routes.js';
import { Catalogue } from '../../src/ground/catalogue/catalogue.js';
import { fileRoutes } from '../../src/ground/catalogue/file-routes.js';
import { FileTickets } from '../../src/ground/catalogue/file-tickets.js';
import { LocalRecordings } from '../../src/ground/catalogue/local-recordings.js';
import { uploadedKeys } from '../../src/ground/catalogue/uploaded-keys.js';
import type { Database } from '../../src/ground/database/database.js';
import { migrate } from '../../src/ground/database/migrate.js';
import { migrations } from '../../src/ground/database/migrations.js';
import { ReadOnlySql } from '../../src/ground/sql/read-only-sql.js';
import { sqlRoute } from '../../src/ground/sql/sql-route.js';
import { present } from '../../src/core/present.js';
import { systemClock } from '../../src/host/system-clock.js';
import type { Route } from '../../src/monitors/http/route.js';
import { DirectoryStore } from '../../src/stores/directory/directory-store.js';
import { EmbeddedServer } from '../ground/database/database-world.js';
import { GroundWorld } from '../ground/ground-world.js';
import { storePorts } from '../support/store-ports.js';
import { syntheticManifest } from '../support/synthetic-manifest.js';
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

const COUNT = 240;
/** The next segment of `robot 2`, as that reports it. */
const next = syntheticManifest(COUNT + 1);
const onRobotOnly = {
  ...{ segment: next.segment.id, state: 'sealed', bytes: 5_000, messages: 12, gaps: 1 },
  firstLogTime: next.firstLogTime ?? '',
  lastLogTime: next.lastLogTime ?? '',
  holds: {
    topics: [
      { topic: '/robot 2/odom', type: 'nav_msgs/msg/Odometry', encoding: 'cdr' },
      { topic: '/robot 2/gps', type: 'test_msgs/msg/OnlyHere', encoding: 'cdr' },
    ],
    tags: { mission: 'm_9', site: 'quarry' },
    vin: '1ZZZ5A3T0RF000001',
  },
};

describe('the page of recordings', function () {
  this.timeout(60_000);
  let pages: PageWorld;
  let world: GroundWorld;
  /** The database does not answer. */
  let isDown = false;
  let catalogue: Catalogue;
  let local: LocalRecordings;
  let writeSegment: (manifest: ReturnType<typeof syntheticManifest>) => Promise<void>;
  const closers: (() => PromiseLike<unknown>)[] = [];

  pageSuite(async (started) => {
    pages = started;
    const server = await EmbeddedServer.start();
    closers.push(() => server[Symbol.asyncDispose]());
    const database: Database = await server.connect();
    closers.push(() => database[Symbol.asyncDispose]());
    await migrate(database, migrations, silentLogger);
    const store = await filledStore();
    catalogue = new Catalogue(database, [store], { clock: systemClock, logger: silentLogger });
    closers.push(() => catalogue[Symbol.asyncDispose]());
    await catalogue.refresh();
    local = new LocalRecordings(database, assert.ifError);
    await note(onRobotOnly);
    const tickets = await FileTickets.open(database, systemClock, randomBytes);
    world = await GroundWorld.start();
    closers.push(() => world[Symbol.asyncDispose]());
    await world.kill();
    const sql = present(await ReadOnlySql.open(database, undefined, systemClock));
    world.moreRoutes = [
      ...[...catalogueRoutes(catalogue).map(mayFail), sqlRoute(sql)],
      ...fileRoutes({ database, stores: [store], tickets }),
    ];
    await world.startServer();
  }, buildGroundPages);
  after(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** As the robot reports it. */
  async function note(one: typeof onRobotOnly): Promise<void> {
    local.note('robot 2', [one], { isFirst: true, isComplete: false });
    await local[Symbol.asyncDispose]();
  }

  function mayFail(route: Route): Route {
    const handle: Route['handle'] = (request) => {
      if (isDown) throw new HoldfastError('GROUND_DATABASE_UNREACHABLE', 'the database is out of reach');
      return route.handle(request);
    };
    return { ...route, handle };
  }

  async function filledStore(): Promise<DirectoryStore> {
    const root = await fs.mkdtemp(join(tmpdir(), 'holdfast-recordings-'));
    closers.push(() => fs.rm(root, { recursive: true, force: true }));
    const write = async (key: string, data: Uint8Array): Promise<void> => {
      const path = join(root, key);
      await fs.mkdir(dirname(path), { recursive: true });
      await fs.writeFile(path, data);
    };
    writeSegment = async (manifest) => {
      await write(manifestKey(manifest.key), Buffer.from(encodeManifest(manifest)));
      await write(manifest.key, Buffer.from('uploaded'.padEnd(manifest.file.bytes, '.')));
    };
    for (let n = 1; n <= COUNT; n++) {
      const manifest = {
        ...syntheticManifest(n),
        ...(n === 7 ? { tags: { mission: 'm_3' } } : {}),
      };
      await write(manifestKey(manifest.key), Buffer.from(encodeManifest(manifest)));
      // The segment of one manifest is missing.
      if (n !== 9) await write(manifest.key, Buffer.from(`S${n}`.padEnd(manifest.file.bytes, '.')));
    }
    return new DirectoryStore(root, storePorts);
  }

  it('finds the newest first, more on request, and what fits', async () => {
    const page = await pages.open(`http://127.0.0.1:${world.port}/#/recordings`);
    await waitForText(
      page,
      '.recordings-grid tbody tr',
      new RegExp(`^${COUNT + 1}\\s*robot 2.*on the robot`, 's'),
    );
    assert.equal(await page.locator('.recordings-grid tbody tr').count(), 200);
    assert.equal(await page.locator('[data-lane]').count(), 4);
    await waitForText(page, '.legend', /199 in the store.*1 on the robot only/s);
    await screenshot(page, 'ground-recordings-desktop', false);
    await page.getByRole('button', { name: 'Show more' }).click();
    await waitForText(page, '.recordings-grid tbody tr', /^1\s*robot 1/);
    assert.equal(await page.locator('.recordings-grid tbody tr').count(), COUNT + 1);
    await waitForText(page, '.legend', /1 missing in the store/);
    await page.locator('[name=tag]').fill('mission=m_3');
    await page.keyboard.press('Enter');
    await waitForText(page, '.recordings-grid tbody', /^7\s*robot 3.*in the store.*mission=m_3$/s);
    assert.deepEqual(await seriousFindings(page), []);
    await page.locator('[name=tag]').fill('mission');
    await page.keyboard.press('Enter');
    await waitForText(page, '.missing', /tag is "mission", allowed/);
    assert.deepEqual(pages.complaints, []);
  });

  it('says that the database is out of reach, and finds what there is once it is back', async () => {
    isDown = true;
    try {
      const page = await pages.open(`http://127.0.0.1:${world.port}/#/recordings`);
      await waitForText(page, '.missing', /No answer: the database is out of reach/);
      assert.equal(await page.getByText('Waiting for the ground').count(), 0);
      const other = await pages.open(`http://127.0.0.1:${world.port}/#/recording/1`);
      await waitForText(other, '.missing', /No recording: the database is out of reach/);
      const answer = await fetch(`http://127.0.0.1:${world.port}/api/recordings`);
      assert.equal(answer.status, 503);
      isDown = false;
      await waitForText(page, '.recordings-grid tbody', /robot 2/);
      await waitForText(other, '.crumbs', /segment/);
      assert.equal(await page.locator('.missing').count(), 0);
    } finally {
      isDown = false;
    }
  });

  it('finds by type, gap, size and state, and says what the ground does not take', async () => {
    const page = await pages.open(`http://127.0.0.1:${world.port}/#/recordings`);
    await waitForText(page, '.recordings-grid tbody', /robot 2/);
    const search = async (name: string, value: string): Promise<void> => {
      for (const one of ['type', 'gap', 'min_bytes', 'max_bytes'])
        await page.locator(`[name=${one}]`).fill(one === name ? value : '');
      await page.locator('[name=state]').selectOption(name === 'state' ? value : '');
      await page.getByRole('button', { name: 'Search' }).click();
    };
    await search('state', 'missing');
    await waitForText(page, '.recordings-grid tbody', /^9\s*robot 1.*missing in the store$/s);
    await search('state', 'local');
    await waitForText(
      page,
      '.recordings-grid tbody',
      new RegExp(`^${COUNT + 1}\\s*robot 2.*on the robot`, 's'),
    );
    await search('min_bytes', '1000000');
    await waitForText(page, '.panel-recordings', /No recording fits/);
    await search('max_bytes', '0.005');
    await waitForText(page, '.recordings-grid tbody', /5\.0\skB/);
    await search('type', 'no_msgs/msg/None');
    await waitForText(page, '.panel-recordings', /No recording fits/);
    await search('type', 'sensor_msgs/*');
    await waitForText(page, '.recordings-grid tbody', /robot 1/);
    await search('gap', 'no_such_reason');
    await waitForText(page, '.panel-recordings', /No recording fits/);
    await search('min_bytes', 'much');
    await waitForText(page, '.missing', /min_bytes/);
    assert.deepEqual(await seriousFindings(page), []);
  });

  it('finds what is on a robot only by topic, type, tag and VIN, and shows what it holds', async () => {
    const page = await pages.open(`http://127.0.0.1:${world.port}/#/recordings`, {
      ...desktop,
      timezoneId: 'UTC',
    });
    await waitForText(page, '.recordings-grid tbody', /robot 2/);
    const wanted = {
      ...{ topic: '/robot 2/gps', type: 'test_msgs/*', tag: 'mission=m_9', robot: '1ZZZ5A3T0RF000001' },
    };
    const row = new RegExp(`^${COUNT + 1}\\s*robot 2.*on the robot.*mission=m_9, site=quarry`, 's');
    for (const [name, value] of Object.entries(wanted)) {
      for (const one of Object.keys(wanted)) await page.locator(`[name=${one}]`).fill('');
      await page.locator(`[name=${name}]`).fill(name === 'tag' ? 'no=such' : 'no such');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.locator('.recordings-grid').waitFor({ state: 'detached' });
      await page.locator(`[name=${name}]`).fill(value);
      await page.keyboard.press('Enter');
      await waitForText(page, '.recordings-grid tbody', row);
    }
    await page.getByRole('link', { name: `Open segment ${COUNT + 1} of robot 2` }).click();
    await waitForText(
      page,
      '.panel-recording',
      /VIN\s*1ZZZ5A3T0RF000001.*on the robot only.*Tag mission\s*m_9.*Tag site\s*quarry/s,
    );
    await waitForText(
      page,
      '.panel-recording-topics',
      /2 topics.*\/robot 2\/gps\s*test_msgs\/msg\/OnlyHere\s*–.*\/robot 2\/odom\s*nav_msgs\/msg\/Odometry/s,
    );
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-recording-on-robot-desktop');
    assert.deepEqual(pages.complaints, []);
  });

  it('runs a read-only query, shows its rows, and says plainly what is wrong with one', async () => {
    const page = await pages.open(`http://127.0.0.1:${world.port}/#/recordings`);
    const query = page.locator('[name=sql]');
    await page.getByRole('button', { name: 'Run' }).click();
    await waitForText(page, '.panel-sql tbody', /robot 0/);
    await query.fill('SELECT n, repeat(chr(120), 400) AS long FROM generate_series(1, 1000) AS n');
    await page.keyboard.press('Control+Enter');
    await waitForText(page, '.panel-sql [role=status]', /^200 rows: there are more than these$/);
    await waitForText(page, '.panel-sql tbody td', /^x{300}…$/);
    await query.fill('SELECT robot, state, count(*) FROM recordings GROUP BY 1, 2 ORDER BY 1, 2');
    await page.getByRole('button', { name: 'Run' }).click();
    await waitForText(page, '.panel-sql tbody', /robot 2\s*local\s*1/);
    assert.deepEqual(await seriousFindings(page), []);
    await page.locator('.panel-sql').scrollIntoViewIfNeeded();
    await screenshot(page, 'ground-sql-desktop');
    await query.fill('SELECT * FROM tokens');
    await page.keyboard.press('Control+Enter');
    await waitForText(page, '.panel-sql .missing', /permission denied for table tokens/);
    await query.fill('DELETE FROM recordings');
    await page.keyboard.press('Control+Enter');
    await waitForText(page, '.panel-sql .missing', /the statement was not run: syntax error/);
    assert.equal(await page.locator('.panel-sql tbody').count(), 0, 'no answer of an earlier query stays');
  });

  it('opens a recording, and hands its file out by links that need no token', async () => {
    const page = await pages.open(`http://127.0.0.1:${world.port}/#/recordings`);
    await page.getByRole('link', { name: `Open segment ${COUNT} of robot 0` }).click();
    await waitForText(page, '.panel-recording', /in the store/);
    await waitForText(page, '.panel-recording-topics', /10 topics.*topic_0.*sensor_msgs/s);
    const open = page.getByRole('link', { name: 'Open in Foxglove' });
    const foxglove = new URL(present(await open.getAttribute('href')));
    assert.equal(foxglove.origin + foxglove.pathname, 'https://app.foxglove.dev/~/view');
    assert.equal(foxglove.searchParams.get('ds'), 'remote-file');
    const file = present(foxglove.searchParams.get('ds.url'));
    assert.match(new URL(file).pathname, /\.mcap$/, 'a viewer recognises the format by the name');
    const range = await fetch(file, {
      headers: { range: 'bytes=1-2', origin: 'https://app.foxglove.dev' },
    });
    assert.deepEqual([range.status, await range.text()], [206, String(COUNT).slice(0, 2)]);
    const saved = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download' }).click();
    const download = await saved;
    assert.equal(download.suggestedFilename(), `robot_0-${COUNT}.mcap`);
    assert.equal(await fs.readFile(await download.path(), 'utf8'), `S${COUNT}`);
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-recording-desktop');
    assert.deepEqual(pages.complaints, []);
  });

  it('leads from what is on a robot only to the form that requests it, also on a phone', async () => {
    const page = await pages.open(`http://127.0.0.1:${world.port}/#/recordings`, {
      ...phone,
      timezoneId: 'UTC',
    });
    await waitForText(page, '.recordings-grid tbody', /on the robot/);
    await screenshot(page, 'ground-recordings-phone', false);
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(width <= phone.viewport.width, `${width} px wide`);
    assert.deepEqual(await seriousFindings(page), []);
    await page.getByRole('link', { name: `Fetch segment ${COUNT + 1} of robot 2` }).click();
    const form = page.locator('.request-form');
    await waitForText(page, '.panel-request', /Request a recording/);
    assert.equal(await form.locator('[name=robot]').inputValue(), 'robot 2');
    assert.match(await form.locator('[name=from]').inputValue(), /^2026-11-21T\d\d:\d\d/);
    assert.match(await form.locator('[name=to]').inputValue(), /^2026-11-21T\d\d:\d\d/);
  });

  it('offers no link to what is on a robot only, and one on the open page once it is uploaded', async () => {
    const api = (path: string, init?: RequestInit): Promise<Response> =>
      fetch(`http://127.0.0.1:${world.port}/api/recordings${path}`, init);
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
    const found = async (state: string): Promise<{ recording: number; segment: string }> => {
      const query = new URLSearchParams({ robot: 'robot 2', state, limit: '1' });
      const answer = (await (await api(`?${query.toString()}`)).json()) as {
        recordings: { recording: number; segment: string }[];
      };
      return present(answer.recordings[0]);
    };
    const { recording, segment } = await found('local');
    assert.equal(segment, next.segment.id);
    const refused = await api(`/${recording}/link`, post);
    assert.equal(refused.status, 409);
    assert.match(await refused.text(), /the recording is local, so no store has its file/);
    const page = await pages.open(`http://127.0.0.1:${world.port}/#/recording/${recording}`);
    await waitForText(page, '.actions', /It is on the robot only/);
    const open = page.getByRole('link', { name: 'Open in Foxglove' });
    assert.equal(await open.count(), 0);
    await note({ ...onRobotOnly, state: 'uploaded' });
    const [key] = uploadedKeys('robot 2', [{ ...onRobotOnly, state: 'uploaded' }]);
    await writeSegment({ ...next, robot: 'robot 2', key: present(key) });
    await catalogue.refresh();
    const stored = await found('stored');
    assert.equal(stored.segment, next.segment.id);
    const given = await api(`/${stored.recording}/link`, post);
    assert.equal(given.status, 200);
    const { path } = (await given.json()) as { path: string };
    const file = await fetch(`http://127.0.0.1:${world.port}/${path}`, { headers: { range: 'bytes=0-7' } });
    assert.equal(await file.text(), 'uploaded');
    await open.waitFor({ timeout: 15_000 });
    await waitForText(page, '.panel-recording', /in the store/);
    assert.equal(new URL(page.url()).hash, `#/recording/${stored.recording}`);
  });
});
