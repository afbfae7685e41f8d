import { dataFolder } from '../../core/data-folder.js';
import { FetchFolder } from '../../core/fetch-folder.js';
import type { FileSystem } from '../../core/file-system.js';
import type { MonitoredSync } from '../../core/monitoring.js';
import type { FetchDesk } from '../../uplink/robot/fetch-relay.js';

/** Keeps the requests of a ground to one robot in the data folder, and wakes sync when they change. */
export function fetchDesk(
  robot: string,
  data: string,
  sync: Pick<MonitoredSync, 'syncNow'>,
  fs: FileSystem,
): FetchDesk {
  const folder = new FetchFolder(fs, dataFolder(data).requests);
  let before = '';
  return {
    async replace(requests) {
      // A forged request of another robot would never be removed.
      const own = requests.filter((one) => one.robot === robot);
      await folder.replace(robot, own);
      const now = own.map(({ id }) => id).join();
      // Sync looks by itself if it does not run now.
      if (now !== before && now !== '') void sync.syncNow().catch(() => undefined);
      before = now;
    },
    answers: () => folder.answers(robot),
  };
}
