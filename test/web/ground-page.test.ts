import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { changedTags } from '../../src/core/tags.js';
import { present } from '../../src/core/present.js';
import { trialRoutes, type TrialFleet, type TrialView } from '../../src/ground/trial-routes.js';
import { parseMapSource } from '../../src/ground/map-source.js';
import { encodePng } from '../../src/exporters/images/encode-png.js';
import { eventually } from '../../src/testing/waiting.js';
import { DrivingRobot, GroundWorld } from '../ground/ground-world.js';
import type { FleetRow } from '../../src/ground/fleet-row.js';
import { fleetRows } from './ground-fleet.js';
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
  waitForTitle,
} from './page-support.js';

describe('the pages of a ground', function () {
  this.timeout(60_000);
  let pages: PageWorld;
  let world: GroundWorld;
  let url: string;

  beforeEach(async () => {
    world = await GroundWorld.start();
    url = `http://127.0.0.1:${world.port}/`;
  });
  afterEach(() => world[Symbol.asyncDispose]());
  pageSuite((started) => (pages = started), buildGroundPages);

  async function restart(change: Partial<Pick<GroundWorld, 'rows' | 'isLoopback' | 'map'>>): Promise<void> {
    await world.kill();
    Object.assign(world, change);
    await world.startServer();
  }

  async function robotNamed(name: string): Promise<DrivingRobot> {
    const robot = new DrivingRobot(name, world.url, await world.registry.enrol(name));
    await world.seen(name, 'a report and a sample', ({ status, samples }) => status !== null && samples > 0);
    return robot;
  }

  /** Refused first, with the reason of the robot. */
  async function setParameter(page: Page, robot: DrivingRobot): Promise<void> {
    const about = {
      ...{ kind: 'integer', unit: 'bytes', allowed: '1MiB to 4GiB' },
      description: 'A segment ends when it has this size.',
    };
    const parameters = [{ name: 'segment.max_bytes', value: '32MiB', ...about }];
    robot.obey = ({ name, value }) => {
      if (name === 'get_parameters')
        return Promise.resolve({ message: 'the parameters', result: JSON.stringify(parameters) });
      if (value !== '"64MiB"') return Promise.reject(new Error(`segment.max_bytes is ${value}`));
      return Promise.resolve('segment.max_bytes is 64MiB');
    };
    await page.locator('[data-action=set_parameter]').click();
    const dialog = page.getByRole('dialog', { name: 'robot_7: Set a parameter' });
    await dialog.getByLabel('Parameter').selectOption('segment.max_bytes');
    await waitForText(page, '.parameter-about', /Allowed: 1MiB to 4GiB.*Now: 32MiB/);
    await dialog.getByLabel('Value').fill('much');
    await page.keyboard.press('Enter');
    await waitForText(page, '.dialog .fault[role=alert]', /Refused: segment.max_bytes is "much"/);
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-parameter-desktop', false);
    await dialog.getByLabel('Value').fill('64MiB');
    await dialog.getByRole('button', { name: 'Set' }).click();
    await waitForText(page, '.outcome', /Set parameter: segment.max_bytes is 64MiB/);
  }

  /** What is removed from the text goes, and what is added comes. */
  async function setTags(page: Page, robot: DrivingRobot): Promise<void> {
    robot.obey = ({ tags = {} }) => {
      const all = changedTags(robot.facts.tags ?? {}, tags);
      robot.facts = { ...robot.facts, tags: all };
      return Promise.resolve({ message: 'the tags are set', result: JSON.stringify(all) });
    };
    await waitForText(page, '.robot-tags', /mission m2.*site north/s);
    await page.locator('[data-action=set_tags]').click();
    const dialog = page.getByRole('dialog', { name: 'robot_7: Tags' });
    const text = dialog.getByLabel('Tags, one name=value per line');
    assert.equal(await text.inputValue(), 'mission=m2\nsite=north');
    await text.fill('mission=m3\noperator=ada');
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-tags-desktop', false);
    await dialog.getByRole('button', { name: 'Set tags' }).click();
    await waitForText(page, '.outcome', /Tags: the tags are set/);
    assert.deepEqual(robot.asked.at(-1)?.tags, { site: '', mission: 'm3', operator: 'ada' });
    await waitForText(page, '.robot-tags', /^mission m3\s*operator ada$/);
  }

  const names = (page: Page): Promise<string[]> => page.locator('tr[data-robot] .line-name').allInnerTexts();

  it('say how to add the first robot, and show it once it is there', async () => {
    const page = await pages.open(url);
    await waitForText(page, 'h2', /No robot has connected yet/);
    await using _robot = await robotNamed('robot_7');
    await waitForText(page, '[data-robot=robot_7]', /Recording/);
    await waitForText(page, '[data-answer=heard]', /1 of 1 robot/);
  });

  it('show on the page of a robot that it says a VIN which is bound to another one', async () => {
    const vin = '1ZZZ5A3T0RF000001';
    await world.registry.enrol('car_1', vin);
    const token = await world.registry.enrol('robot_7');
    await using _robot = new DrivingRobot('robot_7', world.url, token, 0n, { vin: () => vin });
    await world.seen(
      'robot_7',
      'a report and a sample',
      ({ status, samples }) => status !== null && samples > 0,
    );
    const page = await pages.open(`${url}#/robot/robot_7`);
    await waitForText(page, '[role=alert]', /It says the VIN 1ZZZ5A3T0RF000001 and may not/);
    await waitForText(page, '[data-answer=state]', /Recording/);
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-refused-vin-desktop', false);
  });

  it('show a fleet of 1,000 robots, the worst first, and stay smooth while all of them move', async () => {
    const from = Date.now();
    const step = (): number => Math.floor((Date.now() - from) / 1_000);
    await restart({ rows: () => fleetRows(1_000, Date.now(), step()) });
    const page = await pages.open(url);
    await waitForText(page, '[data-answer=heard]', /946 of 1,000 robots/);
    await waitForText(page, '[data-robot=robot_30]', /Stalled.*recorder stalled/);
    assert.equal((await names(page))[0], 'robot_24', 'silent for hours comes first, by name');
    assert.ok((await page.locator('tr[data-robot]').count()) < 60, 'only the rows that are seen');
    await page.locator('.map-canvas').waitFor();
    await screenshot(page, 'ground-fleet-desktop', false);
    // Frames of the page while updates of the whole fleet arrive.
    const frames = await page.evaluate<number>(
      `new Promise((done) => {
         let frames = 0;
         const until = performance.now() + 3000;
         const next = () => (performance.now() < until ? (frames++, requestAnimationFrame(next)) : done(frames));
         requestAnimationFrame(next);
       })`,
    );
    assert.ok(frames > 45, `${frames} frames in 3 s`);
    await page.locator('.robots-scroll').focus();
    await page.keyboard.press('End');
    await page.locator('tr[data-robot=robot_1000]').waitFor();
    assert.deepEqual(await seriousFindings(page), []);
  });

  it('say that what is not in the store is unknown, if no robot or not every robot says it', async () => {
    let silent = 3;
    const rows = (): FleetRow[] =>
      fleetRows(3, Date.now()).map((row, index) => {
        const { pendingBytes: _bytes, oldestUnsyncedAt: _at, ...status } = present(row.status);
        return index < silent ? { ...row, status, unsyncedSinceMs: null } : row;
      });
    await restart({ rows });
    const page = await pages.open(url);
    await waitForText(page, '.answer-quiet[data-answer=unsynced]', /Unknown.*No robot says it/s);
    silent = 2;
    await waitForText(page, '.answer-info[data-answer=unsynced]', /25\.0\sMB.*Unknown for 2 robots/s);
    silent = 0;
    await waitForText(page, '[data-answer=unsynced]', /37\.5\sMB.*The oldest is 40\ss old\.$/s);
  });

  it('find robots by name, VIN and trouble, with the keyboard alone', async () => {
    await restart({ rows: () => fleetRows(120, Date.now()) });
    const page = await pages.open(url);
    await waitForText(page, '[data-answer=heard]', /113 of 120 robots/);
    // The picture in README.md.
    await screenshot(page, 'ground-fleet', false);
    await page.locator('[name=search]').focus();
    await page.keyboard.type('1ZZZ5A3T0RF100099');
    await waitForText(page, '.fleet-count', /^1 of 120$/);
    assert.deepEqual(await names(page), ['robot_100']);
    await page.locator('[name=search]').fill('');
    await page.locator('[name=filter]').selectOption('silent');
    await waitForText(page, '.fleet-count', /^7 of 120$/);
    await page.locator('tr[data-robot] a').first().focus();
    await page.keyboard.press('Enter');
    await waitForText(page, '.crumbs', /robot_/);
    await waitForText(page, '.missing', /no robot has the name or VIN .*: it has never connected/);
  });

  it('show a robot live, and give it commands after a confirmation', async () => {
    await using robot = await robotNamed('robot_7');
    const segments = (['uploaded', 'uploaded', 'sealed', 'open'] as const).map((state, index) => ({
      ...{ segment: `00000000000${index}-${'0f'.repeat(16)}`, state, bytes: 3e6, gaps: index % 2 },
      firstLogTime: String(BigInt(Date.now() - 240_000 + index * 60_000) * 1_000_000n),
      lastLogTime: String(BigInt(Date.now() - 180_000 + index * 60_000) * 1_000_000n),
    }));
    const figures = { ...robot.facts.figures, outboxSamples: 1_200 };
    robot.facts = { ...robot.facts, figures, segments, tags: { mission: 'm2', site: 'north' } };
    const page = await pages.open(`${url}#/robot/robot_7`);
    await waitForText(page, '[data-answer=state]', /Recording/);
    await waitForText(page, '.panel-uplink', /Outbox\s*1,200 samples of an outage to come/);
    // 5 GB that wait for a link are no "fine".
    await waitForText(page, '.answer-info[data-answer=unsynced]', /5\.0\sGB.*offline/s);
    await waitForText(page, '.field-chart', /\d\sm\/s/);
    await waitForText(page, '.panel-uplink', /Bandwidth saved\s*\d/);
    await page.locator('[data-action=split]').click();
    const dialog = page.getByRole('dialog', { name: 'robot_7: Begin the next segment?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    assert.equal(robot.asked.length, 0, 'nothing before the confirmation');
    await page.locator('[data-action=split]').click();
    await dialog.getByRole('button', { name: 'Split' }).click();
    await waitForText(page, '.outcome', /Split: done as asked/);
    await page.locator('[data-action=mark_event]').click();
    await page.getByLabel('What happened').fill('hard stop at gate 4');
    await page.getByRole('dialog').getByRole('button', { name: 'Mark event' }).click();
    await eventually(() => robot.asked.length === 2, 'the mark');
    assert.equal(present(robot.asked[1]).label, 'hard stop at gate 4');
    assert.equal(await page.locator('[data-lane="in the store"] .bar').count(), 2);
    // What is uploaded stays on the robot until it is evicted.
    assert.equal(await page.locator('[data-lane="on the robot"] .bar').count(), 4);
    await screenshot(page, 'ground-robot-desktop');
    await setParameter(page, robot);
    await setTags(page, robot);
    assert.deepEqual(await seriousFindings(page), []);
    await page.locator('nav.pages a', { hasText: 'Audit' }).click();
    await waitForText(
      page,
      '.audit-grid tbody',
      /robot_7.*set tags.*site=, mission=m3, operator=ada.*mark event.*hard stop at gate 4.*done/s,
    );
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-audit-desktop');
  });

  it('say that a robot has left and that what they show is what it said last', async () => {
    const robot = await robotNamed('robot_7');
    const page = await pages.open(`${url}#/robot/robot_7`);
    await waitForText(page, '[data-answer=state]', /Recording/);
    await robot[Symbol.asyncDispose]();
    await waitForText(page, '[data-answer=state]', /Was recording/);
    await waitForText(page, '[data-answer=heard]', /ago.*said last/s);
    // No good news of a robot that is not there, and no command that cannot reach it.
    await waitForText(page, '.answer-quiet[data-answer=unsynced]', /5\.0\sGB/);
    await waitForText(page, '.outcome', /takes commands once it is connected/);
    await page.locator('[data-action=pause][aria-disabled=true]').waitFor();
    await page
      .locator('.field-chart[data-state=unknown] .chart-box[aria-label^="v of /speed: last"]')
      .waitFor();
    await page.locator('.crumbs a').click();
    await waitForText(page, '[data-robot=robot_7]', /Was recording.*ago/s);
    await waitForTitle(page, /1 need attention/);
    await world.registry.revoke('robot_7');
    world.fleet.forget('robot_7');
    await waitForText(page, 'h2', /No robot has connected yet/);
  });

  it('show nothing of a robot that was revoked while its page was open', async () => {
    await using robot = await robotNamed('robot_7');
    robot.facts = { ...robot.facts, tags: { mission: 'm2' } };
    const page = await pages.open(`${url}#/robot/robot_7`);
    await waitForText(page, '.robot-tags', /mission m2/);
    await world.registry.revoke('robot_7');
    await world.seen('robot_7', 'the end of its connection', ({ connected }) => !connected);
    world.fleet.forget('robot_7');
    await waitForText(page, '.missing', /No news of robot_7/);
    await page.locator('.robot-tags').waitFor({ state: 'detached' });
    assert.equal(await page.locator('[data-answer], [data-action]').count(), 0);
  });

  it('say that the ground is gone, and come back with it', async () => {
    await restart({ rows: () => fleetRows(12, Date.now()) });
    const page = await pages.open(url);
    await waitForText(page, '[data-answer=heard]', /12 robots/);
    await world.kill();
    await waitForText(page, '[data-lost=ground]', /The ground does not answer since/);
    await world.startServer();
    await waitForText(page, '.pulse', /Live/);
    assert.equal(await page.locator('[data-lost=ground]').count(), 0);
  });

  it('ask for a token, and let a viewer look but not control', async () => {
    const token = await world.people.add('vera', 'viewer');
    await restart({ isLoopback: false });
    await using _robot = await robotNamed('robot_7');
    const page = await pages.open(url);
    await waitForText(page, '.gate', /This ground is protected/);
    await page.locator('[name=token]').fill(token);
    await page.keyboard.press('Enter');
    await waitForText(page, '[data-robot=robot_7]', /Recording/);
    await page.locator('[data-robot=robot_7] a').click();
    await waitForText(page, '.outcome', /may look, but not control/);
    await page.locator('[data-action=pause][aria-disabled=true]').waitFor();
    await page.locator('nav.pages a', { hasText: 'Audit' }).click();
    await waitForText(page, '.panel-audit', /Only an operator/);
  });

  it('show map tiles of the server that was given, with its attribution, and load nothing else', async () => {
    const asked: string[] = [];
    const grey = { width: 256, height: 256, channels: 1, bits: 8 } as const;
    const tile = await encodePng({ ...grey, data: Buffer.alloc(256 * 256, 200) });
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(200, { 'content-type': 'image/png' }).end(tile);
    }).listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const map = { url: `${address}/{z}/{x}/{y}.png`, attribution: '© the makers of the map' };
      await restart({ rows: () => fleetRows(20, Date.now()), map });
      const page = await pages.open(url);
      await waitForText(page, '.map-attribution', /^© the makers of the map$/);
      await eventually(() => asked.length > 3, 'tiles');
      for (const path of asked) {
        const [z = 0, x = 0, y = 0] = (/^\/(\d+)\/(\d+)\/(\d+)\.png$/.exec(path) ?? []).slice(1).map(Number);
        // Around the North Sea.
        assert.ok(
          z >= 3 && z <= 8 && Math.abs(x / 2 ** z - 0.52) < 0.13 && Math.abs(y / 2 ** z - 0.32) < 0.13,
          path,
        );
      }
      assert.equal(new Set(asked).size, asked.length, 'each once');
      assert.deepEqual(await seriousFindings(page), []);
      await screenshot(page, 'ground-map-tiles', false);
      // What the page loads from elsewhere is noted: the tiles, and nothing else.
      const others = pages.complaints.splice(0).filter((one) => !one.startsWith(`asked for ${address}/`));
      assert.deepEqual(others, []);
    } finally {
      server.close();
    }
    for (const wrong of [
      'http://x/{z}/{x}.png',
      'ftp://x/{z}/{x}/{y}',
      'http://{z}.x/{x}/{y}',
      'http://a;b/{z}/{x}/{y}',
    ])
      assert.throws(() => parseMapSource(wrong, ''), /allowed: http/, wrong);
  });

  it('play the bundled fleet where this ground may, and cut its link with Enter', async () => {
    const did: string[] = [];
    let [state, isCut, last] = ['stopped' as TrialView['state'], false, 0];
    const act = (name: string, change: () => void) => (): void => {
      did.push(name);
      change();
    };
    const trial: TrialFleet = {
      view: (after) => ({
        ...{ state, isCut, problem: '', robots: state === 'playing' ? ['try_car_1', 'try_van_1'] : [] },
        lines: Array.from({ length: state === 'playing' ? (last += 2) : 0 }, (_, index) => ({
          number: index + 1,
          text: `12:00:0${index % 10} [recorder] info: sealed segment=${index + 1}`,
        })).filter(({ number }) => number > after),
      }),
      play: act('play', () => (state = 'playing')),
      stop: act('stop', () => (state = 'stopped')),
      cut: act('cut', () => (isCut = true)),
      mend: act('mend', () => (isCut = false)),
    };
    world.moreRoutes = trialRoutes(trial);
    await restart({});
    const page = await pages.open(url);
    await page.locator('nav.pages a', { hasText: 'Try it' }).click();
    await page.getByRole('button', { name: 'Play' }).click();
    await waitForText(page, '.terminal', /sealed segment=4/);
    await page.locator('.terminal').focus();
    await page.keyboard.press('Enter');
    await waitForText(page, '.terminal-hint', /Enter connects the vehicles again/);
    await page.locator('.terminal-cut').waitFor();
    await page.keyboard.press('Enter');
    await waitForText(page, '.terminal-hint', /Enter disconnects the vehicles/);
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-try-desktop', false);
    await page.setViewportSize(phone.viewport);
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    assert.ok(width <= phone.viewport.width, `${width} px wide`);
    await screenshot(page, 'ground-try-phone', false);
    await page.getByRole('button', { name: 'Stop' }).click();
    await waitForText(page, '.panel-try', /Five vehicles drive/);
    assert.deepEqual(did, ['play', 'cut', 'mend', 'stop']);
    world.moreRoutes = trialRoutes(undefined);
    await restart({});
    const other = await pages.open(url);
    await waitForText(other, 'h2', /No robot has connected yet/);
    assert.equal(await other.locator('nav.pages a', { hasText: 'Try it' }).count(), 0);
  });

  it('fit a phone', async () => {
    await using _robot = await robotNamed('robot_7');
    const robotPage = await pages.open(`${url}#/robot/robot_7`, phone);
    await waitForText(robotPage, '.field-chart', /\d\sm\/s/);
    await screenshot(robotPage, 'ground-robot-phone');
    for (const label of ['hard stop at gate 4', `gate ${'x'.repeat(190)}`]) {
      const asked = JSON.stringify({ label, before_s: 1, after_s: 1 });
      const headers = { 'content-type': 'application/json' };
      const path = `${url}api/robots/robot_7/control/mark_event`;
      assert.equal((await fetch(path, { method: 'POST', headers, body: asked })).status, 200);
    }
    const auditPage = await pages.open(`${url}#/audit`, phone);
    await waitForText(auditPage, '.audit-grid tbody', /mark event.*hard stop at gate 4/s);
    const across = await auditPage.evaluate<number>(
      "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.audit-scroll'))",
    );
    assert.equal(across, 0, 'each command is read without scrolling to the side');
    const parts = auditPage.locator('.audit-log tbody tr').first().locator('td, th');
    for (const part of await parts.all()) {
      const { x = -1, width = 0 } = (await part.boundingBox()) ?? {};
      assert.ok(x >= 0 && width > 0 && x + width <= phone.viewport.width, await part.innerText());
    }
    await screenshot(auditPage, 'ground-audit-phone');
    await restart({ rows: () => fleetRows(40, Date.now()) });
    const page = await pages.open(url, phone);
    await waitForText(page, '[data-answer=heard]', /40 robots/);
    await page.locator('tr[data-robot]').first().waitFor();
    for (const one of [robotPage, auditPage, page]) {
      const width = await one.evaluate<number>('document.documentElement.scrollWidth');
      assert.ok(width <= phone.viewport.width, `${width} px wide`);
      assert.deepEqual(await seriousFindings(one), []);
    }
    await screenshot(page, 'ground-fleet-phone');
    assert.match(await textOf(page, 'tr[data-robot]'), /robot_\d+/);
  });

  it('look alike in the dark', async () => {
    await restart({ rows: () => fleetRows(60, Date.now()) });
    const page = await pages.open(url, { ...desktop, colorScheme: 'dark' });
    await waitForText(page, '[data-answer=heard]', /60 robots/);
    await page.locator('.map-canvas').waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    await screenshot(page, 'ground-fleet-dark', false);
  });
});
