import { exportFormats } from '../../src/app/monitoring/background-exports.js';
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { PageServer } from './page-server.js';
import { pageSuite } from './page-suite.js';
import type { PageWorld } from './page-support.js';
import {
  desktop,
  phone,
  screenshot,
  seriousFindings,
  textOf,
  waitForText,
  waitForTitle,
} from './page-support.js';
import { PretendFleet } from './pretend-fleet.js';
import { scrollTopics, type Scrolled } from './scroll-topics.js';

describe('the page, with a made-up fleet', function () {
  this.timeout(120_000);
  let world: PageWorld;

  pageSuite((started) => (world = started));

  const serve = (fleet: PretendFleet): Promise<PageServer> => PageServer.start(world.folder, fleet);
  const ready = async (page: Page): Promise<void> => {
    await page.locator('.topics-grid tbody tr').first().waitFor();
    await page.locator('.chart-box canvas').nth(3).waitFor();
  };

  for (const [size, options] of [
    ['desktop', desktop],
    ['phone', phone],
  ] as const) {
    it(`has no serious fault of accessibility on a ${size}, light and dark`, async () => {
      await using server = await serve(new PretendFleet({ robots: 5, mood: 'trouble' }));
      const page = await world.open(server.url, options);
      await ready(page);
      await page.locator('.segment-list summary').click();
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await seriousFindings(page), [], colorScheme);
      }
      await page.context().close();
    });

    it(`fits a ${size}, calm and in trouble, 3 robots and 20`, async () => {
      for (const mood of ['calm', 'trouble'] as const) {
        await using server = await serve(new PretendFleet({ robots: mood === 'calm' ? 3 : 20, mood }));
        const page = await world.open(server.url, options);
        await ready(page);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          await screenshot(page, `${mood}-${size}-${colorScheme}`);
        }
        const [width, screen] = await page.evaluate<number[]>(
          '[document.documentElement.scrollWidth, innerWidth]',
        );
        assert.equal(width, screen, 'nothing reaches beyond the screen');
        await page.context().close();
      }
    });
  }

  it('answers the three questions in words and names the tab after the worst of them', async () => {
    await using server = await serve(new PretendFleet({ robots: 20, mood: 'trouble' }));
    const page = await world.open(server.url);
    await ready(page);
    assert.match(await textOf(page, '[data-answer=recording]'), /Recording 20 robots .* Silent: robot4$/);
    assert.match(await textOf(page, '[data-answer=risk]'), /ms at risk 41 messages, 91.0 kB not yet durable/);
    assert.match(
      await textOf(page, '[data-answer=link]'),
      /Offline for 9 min 14 segments, 2.9 GB to go; next try in 48 s/,
    );
    assert.match(
      await textOf(page, '.panel-sync'),
      /Last error the store could not be reached: connect ETIMEDOUT/,
    );
    assert.match(await textOf(page, '.panel-storage'), /9.4 GB free of 512 GB, full in about 1 h 5 min/);
    await waitForTitle(page, /^Offline for/);
    await page.context().close();
  });

  it('shows each source with its state, and in which tone: silent topics warn, a source that failed is bad', async () => {
    await using server = await serve(new PretendFleet({ robots: 3, mood: 'trouble' }));
    const page = await world.open(server.url);
    await ready(page);
    const facts = page.locator('.panel-system .fact', { has: page.locator('dt', { hasText: /^Source$/ }) });
    await facts.locator('dd').filter({ hasText: 'failed' }).waitFor();
    const shown = await Promise.all(
      (await facts.locator('dd').all()).map(async (cell) => [
        (await cell.textContent())?.replace(/\s+/g, ' ').trim(),
        (await cell.getAttribute('class')) ?? '',
      ]),
    );
    assert.deepEqual(shown, [
      ['foxglove:ws://127.0.0.1:8765 open', ''],
      ['ros:?robots=auto open; 2 silent topics', 'tone-warn'],
      ['udp:8000 waiting (the address is in use)', ''],
      ['nats://10.0.0.4?stream=E failed', 'tone-bad'],
    ]);
    await page.context().close();
  });

  it('draws only the rows in sight of 300 topics of 20 robots, and reaches the last topic', async () => {
    await using server = await serve(new PretendFleet({ robots: 20, mood: 'trouble' }));
    const page = await world.open(server.url, { ...desktop, reducedMotion: 'no-preference' });
    await ready(page);
    const seen = await page.evaluate<Scrolled>(scrollTopics(1_000));
    assert.ok(seen.rows < 60, `${seen.rows} rows drawn`);
    assert.ok(seen.reached > 8_000, 'the last topic was reached');
    await page.context().close();
  });

  it('keeps robot, order, filter and theme over a reload and over a silence', async () => {
    await using server = await serve(new PretendFleet({ robots: 3, mood: 'calm' }));
    const page = await world.open(server.url);
    await ready(page);
    await page.getByLabel('Robot', { exact: true }).selectOption('robot2');
    await page.getByRole('button', { name: 'Hz' }).click();
    await page.getByLabel(/Filter topics/).fill('sensor');
    await page.getByLabel('Theme').selectOption('dark');
    const check = async (): Promise<void> => {
      assert.equal(await page.getByLabel('Robot', { exact: true }).inputValue(), 'robot2');
      assert.equal(await page.getByLabel(/Filter topics/).inputValue(), 'sensor');
      assert.match(await textOf(page, '.topics-grid tbody tr'), /^\/robot2\/imu/);
      assert.equal(await page.locator('.topics-grid th[aria-sort=descending]').textContent(), 'Hz↓');
      assert.equal(await page.locator('html').getAttribute('data-scheme'), 'dark');
    };
    await check();
    await page.reload();
    await ready(page);
    await check();
    server.freeze(true);
    await waitForText(page, '.lost', /The recorder process stopped answering since/);
    assert.match(await textOf(page, '[data-answer=recording]'), /Recorder lost No answer since/);
    assert.equal(await page.locator('[data-action=Split]').getAttribute('aria-disabled'), 'true');
    await check();
    server.freeze(false);
    await page.locator('.lost').waitFor({ state: 'detached' });
    await check();
    await page.context().close();
  });

  it('shows that sync is lost, since when, and that recording continues', async () => {
    const fleet = new PretendFleet({ robots: 3, mood: 'calm' });
    await using server = await serve(fleet);
    const page = await world.open(server.url);
    await ready(page);
    fleet.hasSync = false;
    await waitForText(page, '[data-lost=sync]', /has not answered since/);
    assert.match(await textOf(page, '[data-answer=link]'), /Sync process lost .* Recording continues/);
    assert.match(await textOf(page, '[data-answer=recording]'), /Recording 3 robots/);
    fleet.hasSync = true;
    await page.locator('[data-lost=sync]').waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('asks before it stops, keeps the focus in the dialog and gives it back', async () => {
    await using server = await serve(new PretendFleet({ robots: 3, mood: 'calm' }));
    const page = await world.open(server.url);
    await ready(page);
    const stop = page.getByRole('button', { name: 'Stop…' });
    await stop.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Stop recording?' });
    await dialog.waitFor();
    assert.deepEqual(await seriousFindings(page), []);
    assert.equal(await page.evaluate('document.activeElement.textContent.trim()'), 'Keep recording');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await page.evaluate("document.activeElement.getAttribute('data-action')"), 'Stop');
    assert.deepEqual(server.asked, [], 'nothing was asked of the recorder');
    await stop.click();
    await dialog.getByRole('button', { name: 'Stop recording' }).click();
    await waitForText(page, '.outcome', /Recording was stopped/);
    assert.deepEqual(
      server.asked.map(({ action }) => action),
      ['stop'],
    );
    await page.context().close();
  });

  it('reports a fault in a mark before it sends it, and the reason of a refusal', async () => {
    await using server = await serve(new PretendFleet({ robots: 3, mood: 'calm' }));
    const page = await world.open(server.url);
    await ready(page);
    await page.getByRole('button', { name: 'Mark event…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Mark an event' });
    await dialog.waitFor();
    await screenshot(page, 'mark-event', false);
    assert.deepEqual(await seriousFindings(page), []);
    const submit = dialog.getByRole('button', { name: 'Mark event' });
    await submit.click();
    await waitForText(page, '.fault', /Enter a label: it must not be empty/);
    await dialog.getByLabel('What happened').fill('hard stop');
    await dialog.getByLabel('Seconds before').fill('4000');
    await submit.click();
    await waitForText(page, '.fault', /Seconds before: 4000 is not allowed, 0 to 3,600/);
    await dialog.getByLabel('Seconds before').fill('60');
    server.refusal = 'the recorder is deactivating';
    await submit.click();
    await waitForText(page, '.fault', /Refused: the recorder is deactivating/);
    assert.deepEqual(server.asked, [
      { action: 'mark_event', body: { label: 'hard stop', before_s: 60, after_s: 30 } },
    ]);
    await page.context().close();
  });

  it('edits the tags as lines, and removes those whose line is gone', async () => {
    const fleet = new PretendFleet({ robots: 3, mood: 'calm' });
    fleet.tags = { mission: 'm2', site: 'north' };
    await using server = await serve(fleet);
    const page = await world.open(server.url);
    await ready(page);
    await page.getByRole('button', { name: 'Tags…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Tags' });
    const lines = dialog.getByLabel('Tags, one name=value per line');
    assert.equal(await lines.inputValue(), 'mission=m2\nsite=north');
    await screenshot(page, 'tags', false);
    assert.deepEqual(await seriousFindings(page), []);
    await lines.fill('mission=m3\nnonsense');
    await dialog.getByRole('button', { name: 'Set tags' }).click();
    await waitForText(page, '.fault', /“nonsense” is not name=value/);
    await lines.fill('mission=m3');
    await dialog.getByRole('button', { name: 'Set tags' }).click();
    await waitForText(page, '.outcome', /The tags are set/);
    assert.deepEqual(server.asked, [{ action: 'set_tags', body: { tags: { site: '', mission: 'm3' } } }]);
    await page.context().close();
  });

  it('offers every format of the API for an export, and asks for the chosen one', async () => {
    await using server = await serve(new PretendFleet({ robots: 3, mood: 'calm' }));
    server.exports = exportFormats;
    const page = await world.open(server.url);
    await ready(page);
    await page.getByRole('button', { name: 'Export…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Export recorded data' });
    await dialog.waitFor();
    const format = dialog.getByLabel('Format');
    const options = await format.locator('option').all();
    const offered = await Promise.all(options.map((one) => one.getAttribute('value')));
    assert.deepEqual(offered, exportFormats);
    assert.deepEqual(await seriousFindings(page), []);
    await format.selectOption('tfrecord');
    await dialog.getByRole('button', { name: 'Export' }).click();
    await dialog.waitFor({ state: 'detached' });
    const [asked] = server.asked;
    assert.deepEqual([asked?.action, (asked?.body as { format: string }).format], ['export', 'tfrecord']);
    await page.context().close();
  });

  it('keeps disabled buttons reachable by keyboard and shows the reason', async () => {
    await using server = await serve(new PretendFleet({ robots: 3, mood: 'calm' }));
    const page = await world.open(server.url);
    await ready(page);
    const button = page.locator('[data-action=Export]');
    assert.equal(await button.getAttribute('aria-disabled'), 'true');
    await button.focus();
    await page.keyboard.press('Enter');
    await waitForText(page, '.outcome', /Export is not possible now: this recorder does not export/);
    assert.deepEqual(server.asked, []);
    await page.context().close();
  });

  it('can be walked through with the keyboard alone, every stop named', async () => {
    await using server = await serve(new PretendFleet({ robots: 3, mood: 'calm' }));
    const page = await world.open(server.url);
    await ready(page);
    const stops: string[] = [];
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      stops.push(await page.evaluate<string>(nameOfFocus));
    }
    assert.equal(stops[0], 'Skip to the content');
    for (const wanted of [
      'Stop…',
      'Mark event…',
      'Export…',
      'robot2',
      '1 h',
      'List of segments',
      'Topics table',
    ]) {
      assert.ok(
        stops.some((stop) => stop.startsWith(wanted)),
        `${wanted} is not among ${stops.join(', ')}`,
      );
    }
    assert.ok(
      stops.every((stop) => stop !== ''),
      stops.join(', '),
    );
    await page.context().close();
  });
});

/** For the page: what a screen reader would call the element in focus. */
const nameOfFocus = `(() => {
  const element = document.activeElement;
  if (element === null || element === document.body) return 'end of page';
  const label = element.labels?.[0]?.innerText;
  return (element.getAttribute('aria-label') ?? label ?? element.innerText).trim();
})()`;
