import axe, { type AxeResults } from 'axe-core';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { packageRoot } from '../../src/host/version.js';
import { startBrowser } from '../support/browser.js';

export const desktop = { viewport: { width: 1440, height: 900 } } as const;
export const phone = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
} as const;

/** Kept as output of CI, to be looked at. */
const screenshots = join(packageRoot, 'test-output', 'screenshots');

/** Builds the page; without a folder where a recorder looks for it, if need be. */
export async function buildPage(folder?: string): Promise<void> {
  const builder = pathToFileURL(join(packageRoot, 'bin', 'build-web.mjs')).href;
  const { buildWeb } = (await import(builder)) as { buildWeb: (target?: string) => boolean };
  buildWeb(folder);
}

/** Builds the pages of the ground, where a ground looks for them. */
export async function buildGroundPages(): Promise<void> {
  const builder = pathToFileURL(join(packageRoot, 'bin', 'build-web.mjs')).href;
  ((await import(builder)) as { buildGroundPages: () => boolean }).buildGroundPages();
}

/** A browser, and the page as a build makes it. */
export class PageWorld implements AsyncDisposable {
  /** What pages said that they should not have: errors, refused loads, requests to elsewhere. */
  readonly complaints: string[] = [];

  readonly #browser: Browser;

  private constructor(
    browser: Browser,
    readonly folder: string,
  ) {
    this.#browser = browser;
  }

  static async start(): Promise<PageWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-web-'));
    await buildPage(folder);
    return new PageWorld(await startBrowser(), folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A page of its own, with storage of its own. */
  async open(url: string, options: BrowserContextOptions = desktop): Promise<Page> {
    const context = await this.#browser.newContext({ reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const origin = new URL(url).origin;
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      // A recorder that is gone is part of the tests; a refused style or script is not.
      const text = message.text();
      if (message.type() === 'error' && /Content Security Policy/i.test(text)) this.complaints.push(text);
    });
    page.on('request', (request) => {
      if (new URL(request.url()).host !== new URL(origin).host) {
        this.complaints.push(`asked for ${request.url()}`);
      }
    });
    await page.goto(url);
    return page;
  }
}

/** Serious and critical findings of axe, one line each. */
export async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const options = {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    resultTypes: ['violations'],
  };
  const { violations } = await page.evaluate<AxeResults>(`axe.run(document, ${JSON.stringify(options)})`);
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
    );
}

export async function screenshot(page: Page, name: string, fullPage = true): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage });
}

/** Text as people read it: spaces that may not break are spaces. */
export async function textOf(page: Page, selector: string): Promise<string> {
  const text = await page.locator(selector).first().innerText();
  return text.replace(/\s+/g, ' ').trim();
}

/** Waits until the text of the element fits. */
export async function waitForText(
  page: Page,
  selector: string,
  pattern: RegExp,
  timeoutMs = 30_000,
): Promise<void> {
  await page
    .locator(selector)
    .filter({ hasText: pattern })
    .first()
    .waitFor({ state: 'attached', timeout: timeoutMs });
}

/** Waits from outside the page: its Content-Security-Policy lets no text be run as code inside, again and again. */
export async function waitForTitle(page: Page, wanted: RegExp, patienceMs = 10_000): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let title = await page.title(); !wanted.test(title); title = await page.title()) {
    if (Date.now() > deadline) throw new Error(`the tab is called "${title}", not ${wanted}`);
    await page.waitForTimeout(50);
  }
}
