import assert from 'node:assert/strict';
import { lacking } from '../../src/testing/lacking.js';
import { noBrowserBecause } from '../support/browser.js';
import { PageWorld } from './page-support.js';

/**
 * Starts a browser for the suite that calls it, and skips the suite if the machine has no browser. A test fails if a page
 * broke its own rules meanwhile (content security policy, errors in its scripts). Call it behind the `afterEach`
 * that ends the servers of the pages.
 *
 * @param prepare - Runs before the first test, with the browser.
 * @param build - Builds what the servers send. Default: nothing.
 */
export function pageSuite(
  prepare: (pages: PageWorld) => unknown,
  build: () => Promise<void> = () => Promise.resolve(),
): void {
  let pages: PageWorld | undefined;
  before(async function () {
    this.timeout(120_000);
    const why = noBrowserBecause();
    if (why !== undefined) lacking(this, 'browser', why);
    await build();
    pages = await PageWorld.start();
    await prepare(pages);
  });
  after(() => pages?.[Symbol.asyncDispose]());
  afterEach(() => assert.deepEqual(pages?.complaints.splice(0), [], 'a page broke its own rules'));
}
