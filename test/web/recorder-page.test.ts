import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { eventually } from '../../src/testing/waiting.js';
import { FleetWorld } from './fleet-world.js';
import { pageSuite } from './page-suite.js';
import type { PageWorld } from './page-support.js';
import {
  buildPage,
  desktop,
  phone,
  screenshot,
  seriousFindings,
  textOf,
  waitForText,
} from './page-support.js';

describe('the page of a real recorder', function () {
  this.timeout(120_000);
  let world: PageWorld;
  let fleet: FleetWorld;
  let page: Page;

  pageSuite(async (started) => {
    world = started;
    fleet = await FleetWorld.create();
    fleet.startSync();
    await fleet.startRecorder();
    page = await world.open(fleet.url);
    await waitForText(page, '[data-answer=recording]', /Recording 3.robots/);
  }, buildPage);
  // It does not exist after a failed start.
  after(() => (fleet as FleetWorld | undefined)?.[Symbol.asyncDispose]());

  const press = (name: string): Promise<void> => page.locator(`[data-action="${name}"]`).click();
  const stateIs = (state: string): Promise<true> =>
    eventually(
      () =>
        fleet.recorder().then(
          (status) => status.state === state,
          () => false,
        ),
      `the recorder is ${state}`,
    );

  it('shows the fleet that is being recorded, its topics, segments, sync and log', async () => {
    const { robots } = await fleet.recorder();
    assert.equal(robots.length, 3);
    for (const { robot } of robots) await waitForText(page, '.fleet-grid tbody tr', new RegExp(robot));
    const channels = robots.reduce((sum, robot) => sum + robot.channels, 0);
    assert.ok(channels >= 42, `${channels} channels`);
    await waitForText(page, '.search-count', new RegExp(`^${channels}$`));
    await waitForText(page, '.topics-grid tbody tr', /\/robot1\/battery.*sensor_msgs\/msg\/BatteryState/);
    await waitForText(page, '.panel-sync', /Latency\s*[\d.]+\s(ms|s) to the store/);
    await waitForText(page, '.panel-sync', /dir:/);
    await waitForText(page, '.log li', /recording/);
    await page.locator('.bar[data-state=open]').first().waitFor();
    await waitForText(page, '[data-answer=link]', /Online|Uploading/);
    const summary = (await page.locator('.chart-box').first().getAttribute('aria-label')) ?? '';
    assert.match(summary, /^Message rate: now [\d,]+\/s/);
  });

  it('pauses and resumes', async () => {
    await press('Pause');
    await stateIs('paused');
    await waitForText(page, '[data-answer=recording]', /Paused/);
    await press('Resume');
    await stateIs('recording');
    await waitForText(page, '[data-answer=recording]', /Recording/);
    await waitForText(page, '.outcome', /Recording continues/);
  });

  it('splits: the next segment is open, the last one is sealed and shown uploaded', async () => {
    const { openSegment } = (await fleet.recorder()).wal;
    await press('Split');
    await eventually(async () => {
      const { wal } = await fleet.recorder();
      return wal.openSegment !== undefined && wal.openSegment !== openSegment;
    }, 'another segment is open');
    const bar = page.locator(`.bar[data-segment="${openSegment}"]`).first();
    await bar.and(page.locator('[data-state=uploaded]')).waitFor({ timeout: 40_000 });
    await waitForText(page, '.legend', /\d+ uploaded/);
  });

  it('marks an event that is on the disk afterwards', async () => {
    await press('Mark event');
    const dialog = page.getByRole('dialog', { name: 'Mark an event' });
    await dialog.getByLabel('What happened').fill('hard stop at gate 4');
    await dialog.getByLabel('Seconds before').fill('10');
    await dialog.getByLabel('Seconds after').fill('0');
    await dialog.getByRole('button', { name: 'Mark event' }).click();
    await waitForText(page, '.outcome', /Marked “hard stop at gate 4” at .* a window of 10.0.s/);
    const [mark] = await fleet.marks();
    assert.equal(mark?.label, 'hard stop at gate 4');
    assert.equal(BigInt(mark.at) - BigInt(mark.from), 10_000_000_000n);
    // Its window has passed: it is sealed at once, and what is sealed says so.
    await waitForText(page, '.marks li', /hard stop at gate 4/);
    await page.locator('.mark-window').waitFor();
  });

  it('shows that the store is out of reach, with the reason, and Sync now brings it back', async () => {
    await fleet.tunnel.enter();
    await press('Split');
    await waitForText(page, '[data-answer=link]', /Offline/);
    assert.equal((await fleet.sync()).link, 'offline');
    await waitForText(page, '.last-error', /\w{4,}/);
    await screenshot(page, 'real-link-cut-desktop');
    await fleet.tunnel.leave();
    // The next try would be a minute away.
    await press('Sync now');
    await eventually(async () => (await fleet.sync()).link === 'online', 'the link is back');
    await waitForText(page, '[data-answer=link]', /Online|Uploading/);
  });

  it('stops after asking, stays there itself, and starts again', async () => {
    await press('Stop');
    await page.getByRole('dialog').getByRole('button', { name: 'Stop recording' }).click();
    await stateIs('inactive');
    await waitForText(page, '[data-answer=recording]', /Not recording/);
    const { totals } = await fleet.recorder();
    assert.equal(totals.durable + totals.dropped, totals.received, 'all that was taken in is durable');
    await press('Start');
    await stateIs('recording');
    await waitForText(page, '[data-answer=recording]', /Recording 3.robots/);
  });

  it('shows that the recorder was killed, since when, and that it is back', async () => {
    await page.getByLabel('Robot', { exact: true }).selectOption('robot2');
    const { pid } = await fleet.recorder();
    await fleet.kill('recorder');
    await waitForText(page, '.lost', /The recorder process stopped answering since \d\d:\d\d:\d\d/);
    assert.match(await textOf(page, '[data-answer=recording]'), /Recorder lost/);
    await screenshot(page, 'real-recorder-lost-desktop', false);
    assert.deepEqual(await seriousFindings(page), []);
    await fleet.startRecorder();
    await page.locator('.lost').waitFor({ state: 'detached', timeout: 40_000 });
    const now = await fleet.recorder();
    await waitForText(page, '.outcome', new RegExp(`was restarted \\(process ${pid}, now ${now.pid}\\)`));
    await waitForText(page, '[data-answer=recording]', /Recording robot2/);
    await page.getByLabel('Robot', { exact: true }).selectOption('');
    // What the kill cost is in the recording, and on the page.
    await waitForText(page, '.legend', /gap/);
  });

  it('shows that sync was killed while recording continues, and that it is back', async () => {
    await waitForText(page, '[data-answer=link]', /Online|Uploading|Trying/);
    await fleet.kill('sync');
    await waitForText(page, '[data-lost=sync]', /has not answered since \d\d:\d\d:\d\d/);
    assert.match(await textOf(page, '[data-answer=recording]'), /^Is it recording\? Recording 3 robots/);
    assert.equal(await page.locator('[data-action="Sync now"]').getAttribute('aria-disabled'), 'true');
    const late = await world.open(fleet.url);
    await waitForText(late, '[data-lost=sync]', /has not answered since \d\d:\d\d:\d\d/);
    await late.context().close();
    fleet.startSync();
    await page.locator('[data-lost=sync]').waitFor({ state: 'detached', timeout: 40_000 });
    await waitForText(page, '[data-answer=link]', /Online|Uploading|Trying/);
    await screenshot(page, 'real-desktop-light');
    const small = await world.open(fleet.url, { ...phone, colorScheme: 'dark' });
    await waitForText(small, '[data-answer=recording]', /Recording 3.robots/);
    await small.locator('.chart-box canvas').nth(3).waitFor();
    await screenshot(small, 'real-phone-dark');
    await small.context().close();
  });

  it('asks for a token if one is needed, keeps it out of every address, and gives a viewer read access only', async () => {
    await fleet.kill('recorder');
    const viewer = 'viewer-token-0123456789';
    const operator = 'operator-token-0123456789';
    const tokens = fleet.writeTokens(`viewer ${viewer}\noperator ${operator}\n`);
    await fleet.startRecorder(['--web-token-file', tokens]);
    const addresses: string[] = [];
    const guarded = await world.open(fleet.url, desktop);
    guarded.on('request', (request) => addresses.push(request.url()));
    guarded.on('websocket', (socket) => addresses.push(socket.url()));
    const enter = async (token: string): Promise<void> => {
      await guarded.getByLabel('Token of this recorder').fill(token);
      await guarded.getByRole('button', { name: 'Open' }).click();
    };
    await waitForText(guarded, '.gate', /This recorder is protected/);
    assert.deepEqual(await seriousFindings(guarded), []);
    await enter('not-a-token-at-all-000');
    await waitForText(guarded, '.gate', /does not know this token/);
    await enter(viewer);
    await waitForText(guarded, '[data-answer=recording]', /Recording/);
    await guarded.locator('[data-action=Split]').press('Enter');
    await waitForText(guarded, '.outcome', /Split is not possible now: this token is read-only/);
    await guarded.getByRole('button', { name: 'Forget token' }).click();
    await waitForText(guarded, '.gate', /protected/);
    await enter(operator);
    await waitForText(guarded, '[data-answer=recording]', /Recording/);
    await guarded.locator('[data-action=Pause]').click();
    await stateIs('paused');
    assert.ok(addresses.length > 4);
    assert.deepEqual(
      addresses.filter((address) => address.includes('token')),
      [],
    );
    assert.equal(
      await guarded.evaluate('localStorage.length + document.cookie.length'),
      1,
      'only the theme stays',
    );
    await guarded.context().close();
  });
});
