import type { FleetRow } from '../../src/ground/fleet-row.js';

/** Cities around the North Sea and the Alps, where the made-up fleet works. */
const places = [
  [53.55, 9.99],
  [51.92, 4.48],
  [60.39, 5.32],
  [45.76, 4.84],
  [45.46, 9.19],
  [48.21, 16.37],
  [54.35, 18.65],
  [53.8, -1.55],
  [43.26, -2.93],
  [60.45, 22.27],
] as const;

const HOUR_MS = 3_600_000;

/** A made-up fleet: nearly all is well, and a few robots show each kind of trouble. */
export function fleetRows(count: number, nowMs: number, step = 0): FleetRow[] {
  return Array.from({ length: count }, (_, index) => rowOf(index, nowMs, step));
}

function rowOf(index: number, nowMs: number, step: number): FleetRow {
  const trouble = index % 37;
  const [latitude, longitude] = places[index % places.length]!;
  const spread = (salt: number): number => (((index * salt) % 101) / 101 - 0.5) * 0.9;
  const connected = trouble !== 5 && trouble !== 23;
  const heardMs = connected ? nowMs - (nowMs % 10_000) : nowMs - (trouble === 5 ? 45_000 : 9 * HOUR_MS);
  const pendingBytes = trouble === 5 || trouble === 11 ? 4.2e9 + index * 1e6 : (index % 7) * 12.5e6;
  const oldestMs = trouble === 11 ? nowMs - 5 * HOUR_MS : nowMs - 40_000;
  return {
    ...{ robot: `robot_${index + 1}`, vin: index % 3 === 0 ? `1ZZZ5A3T0RF${100_000 + index}` : '' },
    ...{ version: '0.1.0', connected, heardMs },
    status:
      trouble === 17
        ? null
        : {
            state: trouble === 29 ? 'stalled' : trouble === 13 ? 'paused' : 'recording',
            ...{ channels: 24, messagesPerS: 820 + ((index + step) % 9) * 10, bytesPerS: 2.4e6, dropped: 0 },
            ...{ lossWindowMs: trouble === 29 ? 42_000 : 20, lossWindowMessages: 10 },
            ...{ diskFreeBytes: trouble === 31 ? 21e9 : 412e9, diskTotalBytes: 512e9 },
            ...(trouble === 31 ? { diskTimeToFullMs: 1_500_000 } : {}),
            ...{ link: trouble === 11 ? 'offline' : 'online', pendingSegments: 3, pendingBytes },
            ...(pendingBytes === 0
              ? {}
              : { oldestUnsyncedAt: String(BigInt(Math.round(oldestMs)) * 1_000_000n) }),
          },
    unsyncedSinceMs: trouble === 17 || pendingBytes === 0 ? null : Math.round(oldestMs),
    alerts:
      trouble === 29
        ? [
            {
              id: 'recorder_stalled',
              severity: 'critical',
              summary: 'the recorder cannot commit',
              sinceMs: nowMs,
            },
          ]
        : trouble === 11
          ? [{ id: 'link_down', severity: 'warning', summary: 'the store is out of reach', sinceMs: nowMs }]
          : [],
    position:
      index % 11 === 7
        ? null
        : { latitude: latitude + spread(7) + step * 1e-4, longitude: longitude + spread(13) * 1.5 },
    fields: { known: 8, absent: 0, unknown: 0 },
  };
}
