import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { silentLogger } from '../../src/core/logger.js';
import type { Database } from '../../src/ground/database/database.js';
import { migrate } from '../../src/ground/database/migrate.js';
import { migrations } from '../../src/ground/database/migrations.js';
import { driveRoutes } from '../../src/ground/history/drive-routes.js';
import { historyRoutes } from '../../src/ground/history/history-routes.js';
import { HistoryWriter } from '../../src/ground/history/history-writer.js';
import { systemClock } from '../../src/host/system-clock.js';
import type { Route } from '../../src/monitors/http/route.js';
import { eventually } from '../../src/testing/waiting.js';
import { EmbeddedServer } from '../ground/database/database-world.js';
import { DrivingRobot, GroundWorld } from '../ground/ground-world.js';
import { carAt, carHistory, DrivingCar } from './driving-car.js';
import { pageSuite } from './page-suite.js';
import type { PageWorld } from './page-support.js';
import {
  buildGroundPages,
  desktop,
  phone,
  screenshot,
  seriousFindings,
  textOf,
  waitForText,
} from './page-support.js';

const HOUR_S = 3_600;
const VIN = '1ZZZ5A3T0RF000001';
const METRES_PER_S_OF_MPH = 0.44704;
const segmentId = (n: number): string => `${String(n).padStart(12, '0')}-${'0f'.repeat(16)}`;

describe('the history on the page of a robot', function () {
  this.timeout(60_000);
  let pages: PageWorld;
  let world: GroundWorld;
  let history: HistoryWriter;
  let database: Database;
  /** What the catalogue and the book of holes say. */
  let [recordings, holes]: [readonly object[], readonly object[]] = [[], []];
  const closers: (() => PromiseLike<unknown>)[] = [];

  pageSuite(async (started) => {
    pages = started;
    const server = await EmbeddedServer.start();
    closers.push(() => server[Symbol.asyncDispose]());
    database = await server.connect();
    closers.push(() => database[Symbol.asyncDispose]());
    await migrate(database, migrations, silentLogger);
    history = new HistoryWriter(
      database,
      { sampleDays: 30, rollUpDays: 60 },
      { clock: systemClock, logger: silentLogger },
    );
    closers.push(() => history[Symbol.asyncDispose]());
    world = await GroundWorld.start(history);
    closers.push(() => world[Symbol.asyncDispose]());
    await world.kill();
    const told = (path: string, answer: () => object): Route => ({
      ...{ method: 'GET', path, role: 'viewer', summary: '', answer: { type: 'object' }, handle: answer },
      query: { type: 'object' },
    });
    world.moreRoutes = [
      ...[...historyRoutes(database), ...driveRoutes(database)],
      told('/api/recordings', () => ({ recordings })),
      told('/api/robots/:robot/holes', () => ({ open: 1, filled: 1, lost: 1, values: 3_000, holes })),
    ];
    await world.startServer();
  }, buildGroundPages);
  after(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** It drove for three hours, with half an hour of silence, and drives now. */
  async function drivenCar(name: string): Promise<DrivingCar> {
    const nowS = Math.floor(Date.now() / 1_000);
    let waiting = 2;
    history.store(carHistory(name, nowS - 3 * HOUR_S, HOUR_S), () => waiting--);
    history.store(carHistory(name, nowS - 1.5 * HOUR_S, 1.5 * HOUR_S), () => waiting--);
    await eventually(() => waiting === 0, 'a stored drive', 30_000);
    const car = new DrivingCar(name, world.url, await world.registry.enrol(name));
    await world.seen(name, 'a report and a sample', ({ status, samples }) => status !== null && samples > 0);
    return car;
  }

  const url = (robot: string): string => `http://127.0.0.1:${world.port}/#/robot/${robot}`;
  const summaryOf = (page: Page, field: string): Promise<string | null> =>
    page.locator(`[data-field="${field}"] .chart-box`).getAttribute('aria-label');
  const isDrawn = (page: Page, field: string): Promise<void> =>
    page.locator(`[data-field="${field}"] .chart-box[aria-label*="between"]`).waitFor({ state: 'attached' });

  it('has the curves, the distance and the energy of a vehicle, for the time that is chosen', async () => {
    await using _car = await drivenCar('car_1');
    const page = await pages.open(url('car_1'));
    await waitForText(page, '.panel-drive', /Distance.*km.*from its speed.*Moving/s);
    await isDrawn(page, 'v');
    for (const title of ['Distance', 'Speed', 'Power', 'Efficiency', 'Battery'])
      await page.locator('.panel-drive h3', { hasText: title }).waitFor();
    await waitForText(page, '.panel-fields', /temperature/);
    await page.getByRole('button', { name: '1 day' }).click();
    await waitForText(page, '.panel-drive .panel-aside', /of the last 1 day/);
    // Two and a half hours are known: at about 55 mph in the mean.
    await waitForText(page, '.panel-drive', /Distance\s*(1\d\d|2\d\d)\.\d\skm \(\d\d\d\.\d\smi\)/);
    await waitForText(page, '.panel-drive', /Moving\s*2\sh/);
    assert.match((await summaryOf(page, 'v')) ?? '', /between .* and .*mph in this time/);
    await page.waitForTimeout(500);
    await screenshot(page, 'ground-robot-drive-desktop');
    assert.deepEqual(await seriousFindings(page), []);
    await page.getByRole('button', { name: '1 h' }).click();
    await waitForText(page, '.panel-drive .panel-aside', /of the last 1 h/);
    await page.waitForTimeout(500);
    await screenshot(page, 'ground-robot-hour-desktop', false);
  });

  it('is reached by the VIN of a vehicle, with the distance that it measured', async () => {
    await using car = await drivenCar('car_5');
    car.facts = { ...car.facts, figures: { ...car.facts.figures, vin: VIN } };
    await world.seen('car_5', 'its VIN', ({ vin }) => vin === VIN);
    // As FleetMemory does it every 10 s.
    await database.query(
      `INSERT INTO fleet (robot, vin, version, heard_at, alerts) VALUES ('car_5', $1, '', now(), '[]')`,
      [VIN],
    );
    const nowS = Math.floor(Date.now() / 1_000);
    const page = await pages.open(url(VIN));
    await waitForText(page, '.crumbs', new RegExp(`car_5.*${VIN}`, 's'));
    await page.getByRole('button', { name: '1 day' }).click();
    await waitForText(page, '.panel-drive .panel-aside', /of the last 1 day/);
    await waitForText(page, '.panel-drive', /Moving\s*2\sh/);
    await isDrawn(page, 'v');
    let metres = 0;
    const seconds = [...Array(3 * HOUR_S).keys()].filter((s) => s < HOUR_S || s >= 1.5 * HOUR_S);
    for (const s of seconds) metres += (carAt(nowS - 3 * HOUR_S + s)[0] ?? 0) * METRES_PER_S_OF_MPH;
    const shown = /Distance\s*(\d+\.\d)\skm/.exec(await textOf(page, '.panel-drive'))?.[1];
    const km = metres / 1_000;
    assert.ok(Math.abs(Number(shown) - km) < km / 50, `${shown} km on the page, ${km} km measured`);
  });

  it('shows a time from–to, and says what is wrong with one', async () => {
    await using _car = await drivenCar('car_2');
    const page = await pages.open(url('car_2'), { ...desktop, timezoneId: 'UTC' });
    await page.getByRole('button', { name: 'From–to' }).click();
    const [from, to] = [page.locator('[name=range-from]'), page.locator('[name=range-to]')];
    const last = await to.inputValue();
    await to.fill(await from.inputValue());
    await page.getByRole('button', { name: 'Show' }).click();
    await waitForText(page, '.range-between .fault', /From must be before to/);
    await from.fill(new Date(Date.parse(`${last}Z`) - 2.5 * HOUR_S * 1_000).toISOString().slice(0, 19));
    await to.fill(new Date(Date.parse(`${last}Z`) - 2.25 * HOUR_S * 1_000).toISOString().slice(0, 19));
    await page.keyboard.press('Enter');
    await waitForText(page, '.panel-drive .panel-aside', /in this time/);
    await waitForText(page, '.panel-drive', /Moving\s*1\d\smin/);
    await isDrawn(page, 'charge');
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-robot-between-desktop', false);
  });

  it('asks on the clock of the robot, which may be hours off', async () => {
    const token = await world.registry.enrol('robot_7');
    await using _robot = new DrivingRobot('robot_7', world.url, token, -7n * 3_600n * 1_000_000_000n);
    await world.seen('robot_7', 'samples', ({ samples }) => samples > 30);
    await eventually(() => history.status().waiting === 0, 'stored');
    const page = await pages.open(url('robot_7'));
    await page.waitForTimeout(2_500);
    const asked = page.waitForRequest(/\/history\?/, { timeout: 30_000 });
    const to = new URL((await asked).url()).searchParams.get('to') ?? '';
    assert.ok(Math.abs(Date.parse(to) + 7 * HOUR_S * 1_000 - Date.now()) < 60_000, to);
    await isDrawn(page, 'v');
    assert.equal(await page.locator('.panel-drive').count(), 0, 'it is no vehicle');
  });

  it('shows what was recorded and where it is, from the catalogue and the reports, and the holes', async () => {
    await using car = await drivenCar('car_4');
    const page = await pages.open(url('car_4'), { ...desktop, timezoneId: 'UTC' });
    const at = (minutes: number): string => String(BigInt(Date.now() - minutes * 60_000) * 1_000_000n);
    const segments = (['uploaded', 'evicted', 'sealed', 'open'] as const).map((state, index) => ({
      ...{ segment: segmentId(index + 4), state, bytes: 3e6, gaps: index % 2 },
      ...{ firstLogTime: at(40 - index * 10), lastLogTime: at(30 - index * 10) },
    }));
    car.facts = { ...car.facts, segments };
    const found = (['stored', 'evicted', 'missing', 'stored', 'stored'] as const).map((state, index) => ({
      ...{ recording: index + 1, state, segment: segmentId(index + 1), robot: 'car_4', priority: 'normal' },
      ...{ firstLogTime: at(70 - index * 10), lastLogTime: at(60 - index * 10), bytes: 3e6, gaps: 0 },
    }));
    recordings = found;
    const hole = (from: number, to: number, state: string): object => ({
      ...{ from: new Date(Date.now() - from * 60_000).toISOString(), state },
      to: new Date(Date.now() - to * 60_000).toISOString(),
    });
    holes = [hole(65, 60, 'filled'), hole(34, 31, 'open'), hole(20, 19, 'lost')];
    await page.reload();
    await waitForText(page, '.panel-uplink', /1 wait for their segments, 1 filled in/);
    const bars = (lane: string): Promise<number> => page.locator(`[data-lane="${lane}"] .bar`).count();
    // The report and the answer of the catalogue come when they come.
    for (const lane of ['on the robot', 'in the store'])
      await page.locator(`[data-lane="${lane}"] .bar`).nth(2).waitFor({ state: 'attached' });
    await page.locator('[data-lane="left the robot"]').waitFor({ state: 'detached' });
    const names = ['on the robot', 'in the store', 'gone', 'missing', 'holes', 'left the robot'];
    // Number 5 has left the robot, and the catalogue has it; number 4 is in both places.
    assert.deepEqual(await Promise.all(names.map(bars)), [3, 3, 1, 1, 3, 0]);
    await waitForText(page, '.panel-segments .legend', /3 holes of the history.*1 gap/s);
    await waitForText(page, `[data-segment="${segmentId(4)}"]`, /on the robot, in the store/);
    assert.deepEqual(await seriousFindings(page), []);
    await page.locator('.panel-uplink').scrollIntoViewIfNeeded();
    await screenshot(page, 'ground-robot-where-desktop', false);
  });

  it('fits a phone', async () => {
    await using _car = await drivenCar('car_3');
    const page = await pages.open(url('car_3'), phone);
    await isDrawn(page, 'v');
    await page.getByRole('button', { name: 'From–to' }).click();
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(width <= phone.viewport.width, `${width} px wide`);
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-robot-drive-phone');
    assert.match(await textOf(page, '.panel-drive'), /Battery \d+/);
  });
});
