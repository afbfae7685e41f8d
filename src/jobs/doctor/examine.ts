import { checkFileSystem, checkFolder, checkSpace, placeOf, type SpaceLimits } from './data-folder.js';
import { checkDiskSpeed } from './disk-speed.js';
import type { Finding } from './finding.js';
import type { Machine } from './machine.js';
import { checkRos } from './ros.js';
import { checkMemory, checkNode, checkOpenFiles, checkSocketBuffer, checkTime } from './system.js';

export interface Examination {
  /** The data folder of the recorder; it need not exist. */
  readonly data: string;
  readonly limits: SpaceLimits;
  /** Measures the disk, which takes up to some seconds and writes 40 MB. */
  readonly testDisk: boolean;
  /** Versions of Node.js with which tests ran. */
  readonly testedNode: readonly string[];
}

/** Looks at everything that decides whether this machine can record, in the order of a report. */
export async function examine(
  machine: Machine,
  { data, limits, testDisk, testedNode }: Examination,
): Promise<readonly Finding[]> {
  const place = await placeOf(machine, data);
  const folder = await checkFolder(machine, place);
  return [
    checkNode(machine, testedNode),
    folder,
    await checkFileSystem(machine, place),
    await checkSpace(machine, place, limits),
    ...(testDisk && folder.state === 'ok' ? [await checkDiskSpeed(machine, place)] : []),
    await checkMemory(machine),
    await checkOpenFiles(machine),
    await checkSocketBuffer(machine),
    await checkTime(machine),
    ...(await checkRos(machine)),
  ];
}
