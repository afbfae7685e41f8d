import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../src/testing/waiting.js';

/**
 * Copies the data folder of a recorder of this very process, as a kill at this moment would leave it. Waits until
 * the segment that is opened ahead of time is there: files that come and go cannot be copied.
 */
export async function copyAsKilled(root: string, target: string): Promise<void> {
  await eventually(() => isSettled(join(root, 'wal')));
  await fs.cp(root, target, { recursive: true });
}

/** The open segment and the spare one, each with its last file. */
async function isSettled(wal: string): Promise<boolean> {
  const segments = await fs.readdir(wal);
  const files = await Promise.all(segments.map((name) => fs.readdir(join(wal, name))));
  return segments.length >= 2 && files.every((names) => names.includes('blob'));
}
