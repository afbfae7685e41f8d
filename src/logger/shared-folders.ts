import type { ConfigFault } from '../settings/fault.js';
import type { LoggerHost } from './logger-host.js';
import type { LoggerOptions } from './logger-options.js';
import type { LoggerSpec } from './logger-protocol.js';

/** Faults of options that differ from those of another logger of this process on the same folder. */
export function folderConflicts(host: LoggerHost, options: LoggerOptions): ConfigFault[] {
  const faults: ConfigFault[] = [];
  for (const [kind, key] of [
    ['csv', 'dir'],
    ['wal', 'data'],
  ] as const) {
    const mine = options[kind] as Readonly<Record<string, unknown>> | undefined;
    const isOther = (spec: LoggerSpec): boolean => {
      const theirs = spec[kind] as Readonly<Record<string, unknown>> | undefined;
      return theirs?.[key] === mine?.[key] && JSON.stringify(theirs) !== JSON.stringify(mine);
    };
    if (mine === undefined || host.find(isOther) === undefined) continue;
    const allowed = 'those of the other loggers of this process on the same folder';
    faults.push({ where: 'VehicleLogger', path: kind, value: mine[key], allowed: `allowed: ${allowed}` });
  }
  return faults;
}

/** Whether another logger of this process has the files of the same vehicle. */
export function isVehicleTaken(host: LoggerHost, { vehicleId, csv, wal }: LoggerOptions): boolean {
  const folders = (places: Pick<LoggerSpec, 'csv' | 'wal'>): string[] =>
    [places.csv?.dir, places.wal?.data].filter((folder) => folder !== undefined);
  const mine = folders({ csv, wal });
  return (
    host.find((spec) => spec.vehicleId === vehicleId && folders(spec).some((one) => mine.includes(one))) !==
    undefined
  );
}
