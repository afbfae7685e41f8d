import type { DataFolder } from '../core/data-folder.js';
import { systemCode } from '../core/errors.js';
import { releaseBallast } from './ballast.js';
import { Retention, type RetentionOptions, type RetentionPorts } from './retention.js';

/**
 * Makes room on a disk so full that recording cannot even start (recovery writes a little): gives up the
 * ballast and evicts what the policy allows. Call it holding the recorder's lock, with nothing sealing; then
 * try to start once more. Returns whether anything came free.
 */
export async function makeRoomForStart(
  folder: DataFolder,
  options: RetentionOptions,
  ports: RetentionPorts,
): Promise<boolean> {
  const { fs, logger } = ports;
  let released = await releaseBallast(fs, folder);
  try {
    const retention = await Retention.open(folder, { ...options, ballastBytes: 0 }, ports);
    retention.onDiskFull();
    // Whatever has a WAL folder may be half sealed.
    const state = await retention.tick(new Set(await fs.readdir(folder.wal)));
    await retention.close();
    released ||= state.evictedSegments > 0;
  } catch (error) {
    // The first start ever: nothing is there to be evicted.
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  if (released) logger.warn('the disk was full, room was made to start');
  return released;
}
