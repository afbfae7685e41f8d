import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { present } from '../../src/core/present.js';

const CHROMIUM = '/usr/bin/chromium';

/** Debian's own browser: the tests need no download from anywhere else. */
export function installForTests(): void {
  if (existsSync(CHROMIUM) || !existsSync('/usr/bin/apt-get')) return;
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const apt = (...args: string[]): void => {
    const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    execFileSync(present(command), rest, { stdio: ['ignore', 'ignore', 'inherit'] });
  };
  const install = (): void => apt('install', '-y', '-qq', '--no-install-recommends', 'chromium');
  console.error('installing chromium for the tests');
  try {
    try {
      install();
    } catch {
      apt('update', '-qq');
      install();
    }
  } catch {
    console.error('chromium could not be installed here; tests of the page will say so');
  }
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
