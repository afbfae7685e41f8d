import { HoldfastError } from './errors.js';
import { decodeManifest, type Manifest } from './manifest.js';
import { encodeName } from './name-encoding.js';
import { objectName, sealedFileName } from './object-name.js';

/** One fact in a manifest that does not fit the place of the manifest. */
export interface PlaceFault {
  /** The name of the fact, for a person. */
  readonly what: string;
  /** The value that the place requires. */
  readonly expected: string;
  /** The value in the manifest. */
  readonly actual: string;
}

/**
 * The facts in a manifest that do not fit its key in a store. If there are any, the manifest or its segment
 * was moved there.
 */
export function keyFaults(key: string, manifest: Manifest): PlaceFault[] {
  const faults: PlaceFault[] = [];
  if (!isSamePlace(withoutEnd(manifest.key), withoutEnd(key))) {
    faults.push({ what: 'key in the manifest', expected: key, actual: manifest.key });
  }
  const robot = robotOfKey(key);
  const named = encodeName(manifest.robot);
  if (robot !== undefined && robot !== named) {
    faults.push({ what: 'robot in the manifest', expected: robot, actual: named });
  }
  return faults;
}

/** The facts in a manifest that do not fit its file name in a data folder (`sealed/`, `tombstones/`). */
export function nameFaults(fileName: string, manifest: Manifest): PlaceFault[] {
  const { segment, robot, file } = manifest;
  const expected = sealedFileName(segment.id, objectName(robot, segment.priority));
  const faults: PlaceFault[] = [];
  if (file.name !== expected) faults.push({ what: 'file name in the manifest', expected, actual: file.name });
  if (withoutEnd(fileName) !== withoutEnd(expected)) {
    const what = 'name for its segment and robot';
    faults.push({ what, expected: withoutEnd(expected), actual: withoutEnd(fileName) });
  }
  return faults;
}

/**
 * Reads a manifest in order to use the object beside it. Throws `MANIFEST_INVALID`, also if it belongs to
 * another place: data of one robot must never appear as data of another.
 *
 * @param faults - {@link keyFaults} or {@link nameFaults} of the place.
 */
export function decodePlacedManifest(
  text: string,
  where: string,
  faults: (manifest: Manifest) => readonly PlaceFault[],
): Manifest {
  const manifest = decodeManifest(text, where);
  const [first] = faults(manifest);
  if (first === undefined) return manifest;
  const { what, expected, actual } = first;
  throw new HoldfastError(
    'MANIFEST_INVALID',
    `manifest ${where}: ${what} is ${actual}, allowed here: ${expected}; it belongs to another segment or robot`,
    { facts: { name: where, path: what, value: actual } },
  );
}

/** The encoded robot in a key; undefined if the key has none. */
export function robotOfKey(key: string): string | undefined {
  return /(?:^|\/)robot=([^/]*)\//.exec(key)?.[1];
}

/** A store may be opened at a folder above or below the prefix with which it was written. */
function isSamePlace(a: string, b: string): boolean {
  return a === b || a.endsWith(`/${b}`) || b.endsWith(`/${a}`);
}

function withoutEnd(name: string): string {
  return name.replace(/\.(mcap|mcap\.enc|json)$/, '');
}
