import { noteServerTime } from '../model/live.js';
import { Store } from '../model/store.js';
import type { FleetRow, GroundFrame } from './wire.js';

/** Every robot that the ground has heard since its start; undefined: not known yet. */
export const fleet = new Store<readonly FleetRow[] | undefined>(undefined);
/** Whether the bundled fleet may be played here. */
export const mayTry = new Store<boolean>(false);
export const role = new Store<'viewer' | 'operator' | 'admin'>('viewer');

let byName = new Map<string, FleetRow>();

/** Applies a frame to the stores. */
export function applyGroundFrame(frame: GroundFrame): void {
  if (frame.type === 'welcome') {
    role.set(frame.role);
    return;
  }
  noteServerTime(frame.atMs);
  if (frame.type === 'hello') byName = new Map(frame.robots.map((row) => [row.robot, row]));
  else {
    const { robots, gone = [] } = frame;
    if (robots.length + gone.length === 0) return;
    for (const change of robots) {
      const before = byName.get(change.robot);
      byName.set(change.robot, { ...before, ...change } as FleetRow);
    }
    for (const robot of gone) byName.delete(robot);
  }
  fleet.set([...byName.values()]);
}

/** What a form for a request begins with; times are milliseconds since the Unix epoch. */
export interface Wanted {
  readonly robot?: string;
  readonly from?: string;
  readonly to?: string;
}

/** What the page shows; it is in the hash of the address. */
export type Place =
  | { readonly page: 'fleet' | 'recordings' | 'try' }
  | { readonly page: 'robot'; readonly robot: string }
  | { readonly page: 'recording'; readonly recording: string }
  | { readonly page: 'requests'; readonly wanted: Wanted }
  | { readonly page: 'audit' | 'admin' };

function readPlace(): Place {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [page, name = ''] = path.split('/');
  if (page === 'requests') return { page, wanted: Object.fromEntries(new URLSearchParams(query)) };
  if (page === 'recording' && name !== '') return { page, recording: name };
  if (page === 'audit' || page === 'admin' || page === 'recordings' || page === 'try') return { page };
  return page === 'robot' && name !== '' ? { page, robot: decodeURIComponent(name) } : { page: 'fleet' };
}

export const place = new Store<Place>(readPlace());

/** Keeps the page in step with the address. */
export function followAddress(): void {
  addEventListener('hashchange', () => {
    place.set(readPlace());
    scrollTo(0, 0);
  });
}

/** The page of requests, with a form that begins with this. */
export function requestAddress(wanted: Wanted): string {
  return `#/requests?${new URLSearchParams(Object.entries(wanted)).toString()}`;
}

/** The page of a recording, by its number in the catalogue. */
export function recordingAddress(recording: number): string {
  return `#/recording/${recording}`;
}

export function addressOf(robot: string): string {
  return `#/robot/${encodeURIComponent(robot)}`;
}
