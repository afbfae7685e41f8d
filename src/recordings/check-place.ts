import { basename } from 'node:path';
import { encodeName } from '../core/name-encoding.js';
import type { Manifest } from '../core/manifest.js';
import { keyFaults, nameFaults, robotOfKey, type PlaceFault } from '../core/manifest-place.js';
import type { Findings } from './findings.js';

/** Whether a manifest lies under the key that it names, and its segment under the key of its robot. */
export function checkKey(key: string, manifest: Manifest, findings: Findings): void {
  note(key, keyFaults(key, manifest), findings);
}

/** Whether an object lies under the key of its robot. */
export function checkRobot(key: string, robot: string | undefined, findings: Findings): void {
  const expected = robotOfKey(key);
  if (expected === undefined || robot === undefined) return;
  findings.same(key, 'robot in the MCAP', expected, encodeName(robot));
}

/** Whether a sealed file, a receipt or a tombstone has the name of its segment and robot. */
export function checkName(path: string, manifest: Manifest, findings: Findings): void {
  note(path, nameFaults(basename(path), manifest), findings);
}

function note(where: string, faults: readonly PlaceFault[], findings: Findings): void {
  for (const { what, expected, actual } of faults) findings.add('error', where, what, expected, actual);
}
