import { packageManifest } from './version.js';

// Node.js 12 must be able to load this file and version.ts: Ubuntu 22.04 installs it.

const FLOOR = /^>=(\d+)\.(\d+)$/;

/**
 * Why this Node.js cannot run Holdfast: it is older than `engines.node` of package.json. Undefined if it can.
 * A version newer than the tested ones (`testedNode`) can.
 */
export function nodeFault(found: string, executable: string): string | undefined {
  const floor = FLOOR.exec(packageManifest.engines.node);
  if (floor === null) throw new Error(`package.json: engines.node is "${packageManifest.engines.node}"`);
  const [major, minor] = found.split('.').map(Number) as [number, number];
  const [floorMajor, floorMinor] = [Number(floor[1]), Number(floor[2])];
  if (major > floorMajor || (major === floorMajor && minor >= floorMinor)) return undefined;
  return (
    `Node.js ${found} (${executable}) is too old; allowed: ${floorMajor}.${floorMinor} or newer, ` +
    `tried: ${packageManifest.testedNode.join(', ')}`
  );
}
