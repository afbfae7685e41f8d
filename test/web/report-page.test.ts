import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { makeReport, scratch } from '../jobs/report/report-support.js';
import { HOSTILE_TOPIC, troubledRecording } from '../jobs/report/troubled-recording.js';
import { noBrowserBecause, startBrowser } from '../support/browser.js';
import { recording } from '../support/recordings.js';
import { desktop, phone, screenshot, seriousFindings } from './page-support.js';
import { present } from '../../src/core/present.js';
import { lacking } from '../../src/testing/lacking.js';

describe('the page of a report', function () {
  this.timeout(120_000);
  let browser: Browser;
  let folder: Awaited<ReturnType<typeof scratch>>;
  let troubled: string;
  let calm: string;
  const complaints: string[] = [];

  before(async function () {
    const why = noBrowserBecause();
    if (why !== undefined) lacking(this, 'browser', why);
    folder = await scratch();
    const { folder: data } = await troubledRecording(join(folder.path, 'rec'));
    const pages = await Promise.all([
      makeReport(
        join(folder.path),
        data.root,
        '--title',
        'Test on the hill',
        '--output',
        join(folder.path, 'troubled.html'),
      ),
      makeReport(join(folder.path), recording('two_robots'), '--output', join(folder.path, 'calm.html')),
    ]);
    for (const { run } of pages) assert.equal(run.exitCode, 0, run.stderr);
    [troubled, calm] = ['troubled.html', 'calm.html'].map(
      (name) => pathToFileURL(join(folder.path, name)).href,
    ) as [string, string];
    browser = await startBrowser();
  });
  // It does not exist after a failed start.
  after(async () => {
    await (browser as Browser | undefined)?.close();
    await (folder as Awaited<ReturnType<typeof scratch>> | undefined)?.[Symbol.asyncDispose]();
  });
  afterEach(() => {
    assert.deepEqual(complaints.splice(0), [], 'the page broke its own rules');
  });

  /** Opened as from a mail: a file, and every word of it on the console is a complaint. */
  const open = async (url: string, options: BrowserContextOptions = desktop): Promise<Page> => {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('dialog', (dialog) => complaints.push(dialog.message()));
    page.on('request', (request) => {
      if (request.url() !== url && !request.url().startsWith('data:font/'))
        complaints.push(`asked for ${request.url()}`);
    });
    await page.goto(url);
    return page;
  };

  for (const [size, options] of [
    ['desktop', desktop],
    ['phone', phone],
  ] as const) {
    it(`has no serious fault of accessibility on a ${size} and fits it, light and dark`, async () => {
      for (const [name, url] of [
        ['troubled', troubled],
        ['calm', calm],
      ] as const) {
        const page = await open(url, options);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          assert.deepEqual(await seriousFindings(page), [], `${name} ${colorScheme}`);
          await screenshot(page, `report-${name}-${size}-${colorScheme}`);
        }
        const [width, screen] = await page.evaluate<number[]>(
          '[document.documentElement.scrollWidth, innerWidth]',
        );
        assert.equal(width, screen, 'nothing reaches beyond the screen');
        await page.context().close();
      }
    });
  }

  it('answers its three questions on the first screen', async () => {
    const page = await open(troubled);
    for (const answer of [0, 1, 2]) {
      const box = present(await page.locator(`[data-answer="${answer}"] .answer-headline`).boundingBox());
      assert.ok(box.y + box.height < desktop.viewport.height, `answer ${answer}`);
    }
    await page.context().close();
  });

  it('runs nothing that a name in the recording contains', async () => {
    const page = await open(troubled);
    assert.equal(await page.title(), 'Test on the hill');
    const rows = await page.locator('#timeline tr[data-topic]').all();
    const topics = await Promise.all(rows.map((row) => row.getAttribute('data-topic')));
    assert.ok(topics.includes(HOSTILE_TOPIC), 'the name itself, whole');
    await page.context().close();
  });

  it('shows everything without scripts', async () => {
    const page = await open(troubled, { ...desktop, javaScriptEnabled: false });
    assert.ok(await page.getByText('Not whole').first().isVisible());
    assert.ok(await page.locator('#values .chart svg.plot').first().isVisible());
    assert.ok(await page.locator('.tools').isHidden(), 'no button that does nothing');
    await page.context().close();
  });

  it('zooms by dragging and by buttons, and back', async () => {
    const page = await open(troubled);
    const plot = page.locator('#values .plot').first();
    const view = async (): Promise<number[]> =>
      present(await plot.locator('svg.zoomed').getAttribute('viewBox'))
        .split(' ')
        .map(Number);
    const whole = await view();
    await plot.scrollIntoViewIfNeeded();
    const box = present(await plot.boundingBox());
    await page.mouse.move(box.x + box.width * 0.25, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 60);
    await page.mouse.up();
    const [x, , width] = await view();
    assert.ok(x !== undefined && width !== undefined);
    assert.ok(Math.abs(x / 720 - 0.25) < 0.02 && Math.abs(width / 720 - 0.25) < 0.02, String(await view()));
    assert.match(await page.locator('#shown').innerText(), /^10(\.\d)? s from|^9\.9\d? s from/);
    await page.locator('[data-zoom="all"]').click();
    assert.deepEqual(await view(), whole);
    await page.locator('[data-zoom="in"]').click();
    assert.notEqual(await view(), whole);
    await page.context().close();
  });

  it('reads values off a curve, with its time and unit', async () => {
    const page = await open(troubled);
    const plot = page.locator('#health .plot').first();
    await plot.scrollIntoViewIfNeeded();
    const box = present(await plot.boundingBox());
    await page.mouse.move(box.x + box.width / 4, box.y + 50);
    const reading = await page.locator('.reading').innerText();
    assert.match(reading, /^\d\d:\d\d:\d\d\.\d{3}\nrobot1: \d+(\.\d+)?( to \d+(\.\d+)?)? %\nrobot2: /);
    await page.context().close();
  });

  it('shows only the selected robot and topics', async () => {
    const page = await open(troubled);
    const rows = page.locator('#timeline tr[data-topic]:visible');
    const all = await rows.count();
    await page.locator('#filter').fill('IMU');
    assert.equal(await rows.count(), 2);
    await page.locator('#robot').selectOption('robot2');
    assert.equal(await rows.count(), 1);
    await page.locator('#filter').fill('');
    await page.locator('#robot').selectOption('');
    assert.equal(await rows.count(), all);
    await page.context().close();
  });

  it('prints as a document, including folded parts', async () => {
    const page = await open(troubled);
    await page.emulateMedia({ media: 'print' });
    assert.ok(await page.locator('.tools').isHidden());
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    assert.equal(await page.locator('details:not([open])').count(), 0);
    await screenshot(page, 'report-print');
    await page.context().close();
  });
});
