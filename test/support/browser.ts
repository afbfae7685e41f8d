import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { installDebianPackages } from './debian-packages.js';

const CHROMIUM = '/usr/bin/chromium';

/** Debian's own browser: the tests need no download from anywhere else. */
export function installForTests(): void {
  if (!existsSync(CHROMIUM)) installDebianPackages(['chromium']);
}

/** Why there is no browser here, or `undefined`. */
export function noBrowserBecause(): string | undefined {
  return existsSync(CHROMIUM) ? undefined : `${CHROMIUM} is not there (apt-get install chromium)`;
}

/** A headless Chromium that speaks to nobody but the pages it is given. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
