import { matches, type RobotFilter } from '../../recordings/message-filter.js';
import { mayNameVin, robotsOfVins } from '../../recordings/robots-of-vins.js';
import type { LakeOwner } from './lake-vehicles.js';

/** Which files of a lake a query reads, by the robots that were chosen. */
export interface FileChoice {
  /** @param robot - By the path; the marker of the file goes before it. */
  wants(path: string, robot: string): boolean;
  /** VINs that were not chosen, whose rows a wanted file has too. */
  othersIn(path: string): readonly string[];
}

/**
 * Names and VINs as a choice of files; VINs are looked up in the markers of the lake, which are read only if one of the
 * names has the form of a VIN.
 */
export async function chooseFiles(
  robots: readonly string[] | undefined,
  readOwners: () => Promise<ReadonlyMap<string, LakeOwner>>,
): Promise<FileChoice> {
  if (!mayNameVin(robots)) return { wants: (_path, robot) => matches(robots, robot), othersIn: () => [] };
  const owners = await readOwners();
  const filter: RobotFilter = await robotsOfVins(robots, () => recordedRobots(owners));
  const vinsOf = (path: string): readonly string[] => [...(owners.get(path)?.vins ?? [])];
  return {
    wants(path, pathRobot) {
      const robot = owners.get(path)?.robot ?? pathRobot;
      if (!matches(filter.robots, robot)) return false;
      const chosen = filter.vehicles?.get(robot);
      const vins = vinsOf(path);
      return chosen === undefined || vins.length === 0 || vins.some((vin) => chosen.has(vin));
    },
    othersIn(path) {
      const chosen = filter.vehicles?.get(owners.get(path)?.robot ?? '');
      return chosen === undefined ? [] : vinsOf(path).filter((vin) => !chosen.has(vin));
    },
  };
}

function* recordedRobots(owners: ReadonlyMap<string, LakeOwner>): Generator<{ robot: string; vin: string }> {
  for (const { robot, vins } of owners.values()) for (const vin of vins) yield { robot, vin };
}
