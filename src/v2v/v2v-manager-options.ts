import { isIP } from 'node:net';
import type { HoldfastError } from '../core/errors.js';
import type { EstimatedPose } from '../core/ros/estimations.js';
import { configInvalid, type ConfigFault } from '../settings/fault.js';
import type { V2vEncoding } from '../sources/udp/datagram.js';

/** The default multicast group and port of vehicles. */
export const DEFAULT_GROUP = '239.7.7.7';
export const DEFAULT_PORT = 8_000;

/** What a vehicle reports about itself. */
export interface LocalEstimate extends EstimatedPose {
  /** Metres per second squared. */
  readonly acceleration?: number;
}

/** What a vehicle estimates about one vehicle of the fleet. */
export interface FleetEstimate extends EstimatedPose {
  /** Id of the vehicle that it is about. */
  readonly vehicleId: string;
}

/** What a vehicle sends about one vehicle of the fleet. */
export interface KnownVehicle extends EstimatedPose {
  /** A whole number from 0, or a text of up to 40 letters, digits and `_`. */
  readonly vehicleId: number | string;
}

/** Logs received estimates; a `VehicleLogger` is one. `timestamp`: on the sender's clock, seconds. */
export interface EstimationLogger {
  /** Logs a received state of another vehicle. */
  logLocalEstimation(senderId: string, timestamp: number, state: LocalEstimate): unknown;
  /** Logs a received fleet estimate of another vehicle. */
  logFleetEstimation(senderId: string, timestamp: number, states: readonly FleetEstimate[]): unknown;
}

/** Options of a `V2vManager`. */
export interface V2vManagerOptions {
  /** A whole number from 0, or a text of up to 40 letters, digits and `_`. Datagrams name it `vehicle_<id>`. */
  readonly vehicleId: number | string;
  /** Multicast group, IPv4 or IPv6. Default `239.7.7.7`. */
  readonly group?: string;
  /** UDP port of the group. Default 8000. */
  readonly port?: number;
  /** Network interface to send and listen on. Default: the system's choice by its routes. */
  readonly iface?: string;
  /** Routers a datagram may pass, 0 to 255. Default 1: the local network only. */
  readonly hops?: number;
  /** Default `msgpack`. */
  readonly encoding?: V2vEncoding;
  /**
   * Key of the fleet, 16 to 4096 bytes: every datagram carries its HMAC, and others are refused. Default:
   * none.
   */
  readonly key?: Uint8Array;
  /** Maximum number of other vehicles; further ones are refused. Default 256; 1 to 10,000. */
  readonly maxVehicles?: number;
  /** Logs all received estimates. Default: none. */
  readonly logger?: EstimationLogger;
  /** Called with each received state of another vehicle. */
  readonly onLocalEstimation?: (senderId: string, timestamp: number, state: LocalEstimate) => void;
  /** Called with each received fleet estimate of another vehicle. */
  readonly onFleetEstimation?: (
    senderId: string,
    timestamp: number,
    states: readonly FleetEstimate[],
  ) => void;
  /** Called with problems, at most once in 10 s for each code. */
  readonly onError?: (problem: HoldfastError) => void;
}

/** Checked, with all defaults filled in. */
export interface ManagerOptions extends Omit<V2vManagerOptions, 'vehicleId'> {
  readonly vehicleId: string;
  readonly group: string;
  readonly port: number;
  readonly hops: number;
  readonly encoding: V2vEncoding;
  readonly maxVehicles: number;
  readonly family: 'udp4' | 'udp6';
}

const functions = ['onLocalEstimation', 'onFleetEstimation', 'onError'] as const;

/** Throws `CONFIG_INVALID` with all faults at once. */
export function parseManagerOptions(given: V2vManagerOptions): ManagerOptions {
  const faults: ConfigFault[] = [];
  const check = (isRight: boolean, path: keyof V2vManagerOptions, value: unknown, allowed: string): void => {
    if (!isRight) faults.push({ where: 'V2vManager', path, value, allowed: `allowed: ${allowed}` });
  };
  const { vehicleId, group = DEFAULT_GROUP, port = DEFAULT_PORT, hops = 1, key } = given;
  const { encoding = 'msgpack', maxVehicles = 256, iface, logger } = given;
  const isWhole = (value: number, low: number, high: number): boolean =>
    Number.isInteger(value) && value >= low && value <= high;
  const isId =
    typeof vehicleId === 'number'
      ? isWhole(vehicleId, 0, Number.MAX_SAFE_INTEGER)
      : typeof vehicleId === 'string' && /^\w{1,40}$/.test(vehicleId);
  check(isId, 'vehicleId', vehicleId, 'a whole number from 0, or 1 to 40 letters, digits and _');
  check(isGroup(group), 'group', group, 'an IPv4 or IPv6 multicast group, such as 239.7.7.7 or ff15::77');
  check(isWhole(port, 1, 65_535), 'port', port, 'a whole number from 1 to 65535');
  check(isWhole(hops, 0, 255), 'hops', hops, 'a whole number from 0 to 255');
  check(isWhole(maxVehicles, 1, 10_000), 'maxVehicles', maxVehicles, 'a whole number from 1 to 10000');
  check(['json', 'msgpack'].includes(encoding), 'encoding', encoding, 'json, msgpack');
  const isName = iface === undefined || (typeof iface === 'string' && iface !== '');
  check(isName, 'iface', iface, 'the name of a network interface');
  const isKey = key === undefined || (key instanceof Uint8Array && isWhole(key.length, 16, 4_096));
  check(isKey, 'key', undefined, 'a Uint8Array of 16 to 4096 bytes');
  const isLogger =
    logger === undefined ||
    (typeof logger.logLocalEstimation === 'function' && typeof logger.logFleetEstimation === 'function');
  check(isLogger, 'logger', typeof logger, 'an object with logLocalEstimation and logFleetEstimation');
  for (const name of functions) {
    const value = given[name];
    check(value === undefined || typeof value === 'function', name, typeof value, 'a function');
  }
  if (faults.length > 0) throw configInvalid(faults);
  const family = isIP(group) === 6 ? 'udp6' : 'udp4';
  return { ...given, vehicleId: String(vehicleId), group, port, hops, encoding, maxVehicles, family };
}

function isGroup(address: string): boolean {
  if (isIP(address) === 6) return /^ff/i.test(address);
  const first = Number(address.split('.')[0]);
  return isIP(address) === 4 && first >= 224 && first <= 239;
}
