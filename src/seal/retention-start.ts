import type { DataFolder } from '../core/data-folder.js';
import { systemCode } from '../core/errors.js';
import { releaseBallast } from './ballast.js';
import { Retention } from './retention.js';
import type { RetentionOptions, RetentionPorts } from './retention-options.js';

/**
 * Makes room on a disk so full that recording cannot start (recovery writes a little): releases the ballast
 * and evicts what the policy allows. Call it while holding the recorder's lock, with no sealing under way,
 * then try once more to start. Returns whether any space was freed.
 */
export async function makeRoomForStart(
  folder: DataFolder,
  options: RetentionOptions,
  ports: RetentionPorts,
): Promise<boolean> {
  const { fs, logger } = ports;
  let released = await releaseBallast(fs, folder);
  try {
    // The start does not wait for sync: the recorded answers are used.
    const retention = await Retention.open(
      folder,
      { ...options, ballastBytes: 0 },
      { ...ports, patienceMs: 0 },
    );
    retention.onDiskFull();
    // A segment with a WAL folder may be half sealed.
    const state = await retention.tick(new Set(await fs.readdir(folder.wal)));
    await retention.close();
    released ||= state.evictedSegments > 0;
  } catch (error) {
    // The first start ever: there is nothing to evict.
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  if (released) logger.warn('the disk was full: freed space to start');
  return released;
}
