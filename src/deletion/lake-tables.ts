import { LAKE_FOLDER } from '../core/lake-manifest.js';
import { encodeName } from '../core/name-encoding.js';
import type { Store } from '../core/store.js';
import type { KeptObject } from './deletion-place.js';

/** The markers of a robot's segments in the lakes of a store, one entry for each form: their tables stay. */
export async function lakeTables(store: Store, robot: string, signal: AbortSignal): Promise<KeptObject[]> {
  const counts = new Map<string, number>();
  const isMarker = new RegExp(`^${LAKE_FOLDER}/([^/]+)/segments/(?:.*/)?robot=([^/]*)/`);
  const name = encodeName(robot);
  for await (const { key } of store.list(`${LAKE_FOLDER}/`, { signal })) {
    const [, form, owner] = isMarker.exec(key) ?? [];
    if (form !== undefined && owner === name) counts.set(form, (counts.get(form) ?? 0) + 1);
  }
  return [...counts].map(([form, segments]) => ({
    key: `${LAKE_FOLDER}/${form}/`,
    bytes: 0,
    why: `the lake has tables of ${segments} segments of the robot; a deletion does not change tables`,
  }));
}
