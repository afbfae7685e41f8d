import { createHmac, timingSafeEqual } from 'node:crypto';
import { Ajv } from 'ajv';
import { Packr, Unpackr } from 'msgpackr';
import { describeError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import { datagramSchema, MAX_SENT_NS, V2V_VERSION } from './v2v-schema.js';

/** How the map of a datagram is encoded. */
export type V2vEncoding = 'json' | 'msgpack';

/** Position, heading and speed of a vehicle; further fields are passed on unchanged. */
export interface VehicleState {
  /** Metres east of the origin of the map. */
  readonly x: number;
  /** Metres north of the origin of the map. */
  readonly y: number;
  /** Radians, counter-clockwise from east. */
  readonly theta: number;
  /** m/s along the heading. */
  readonly v: number;
  readonly [further: string]: number | string | boolean | null;
}

/** What a vehicle estimates about one vehicle of the fleet. */
export interface FleetMember extends VehicleState {
  /** Name of the vehicle that it is about. */
  readonly vehicle: string;
}

/** The state of the sender, or its estimates of the fleet. */
export type V2vBody = StateBody | FleetBody;

/** What a vehicle reports about itself. */
export interface StateBody {
  /** Distinguishes the bodies. */
  readonly kind: 'state';
  /** Of the sender. */
  readonly state: VehicleState;
}

/** What a vehicle reports about the fleet. */
export interface FleetBody {
  /** Distinguishes the bodies. */
  readonly kind: 'fleet';
  /** One entry for each vehicle. */
  readonly fleet: readonly FleetMember[];
}

/** One datagram of the V2V protocol (docs/udp.md). */
export interface V2vDatagram {
  /** Name of the sender. */
  readonly vehicle: string;
  /** Empty if the sender has none. */
  readonly session: string;
  /** Counts the datagrams of this vehicle, session and kind. */
  readonly sequence: number;
  /** Nanoseconds since the Unix epoch. */
  readonly sentNs: bigint;
  /** What it says. */
  readonly body: V2vBody;
}

/** Why a datagram was refused. */
export type DatagramFault = 'malformed' | 'oversized' | 'unauthenticated' | 'forged';

/** A datagram that was read, or why it was refused. */
export type DecodedDatagram = ReadDatagram | RefusedDatagram;

/** A datagram that was read. */
export interface ReadDatagram {
  /** What it says. */
  readonly datagram: V2vDatagram;
  /** How its map was encoded. */
  readonly encoding: V2vEncoding;
  /** Its HMAC was checked. */
  readonly authenticated: boolean;
}

/** A datagram that was refused. */
export interface RefusedDatagram {
  /** Why. */
  readonly fault: DatagramFault;
  /** The same in words, with the value found. */
  readonly detail: string;
}

/**
 * An authenticated datagram has these four bytes (`HFA1`) and the HMAC-SHA-256 of the four bytes and the map
 * before its map. None of them begins a map in JSON (`{`) or MessagePack (0x80-0x8f, 0xde, 0xdf).
 */
const AUTH_MAGIC = Buffer.from('HFA1');
const TAG_BYTES = 32;
const HEAD_BYTES = AUTH_MAGIC.length + TAG_BYTES;
const OPENING_BRACE = 0x7b;
const MAX_DETAIL_CHARS = 120;

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'bigint' });
const isDatagram = new Ajv({ allowUnionTypes: true }).compile<WireDatagram>(datagramSchema);

interface WireDatagram {
  readonly kind: 'state' | 'fleet';
  readonly vehicle: string;
  readonly session?: string;
  readonly sequence: number;
  readonly sent_ns: string | number;
  readonly state?: VehicleState;
  readonly fleet?: readonly FleetMember[];
}

/** The bytes of a datagram; with a key it is authenticated. */
export function encodeDatagram(datagram: V2vDatagram, encoding: V2vEncoding, key?: Uint8Array): Uint8Array {
  const { vehicle, session, sequence, sentNs, body } = datagram;
  const isJson = encoding === 'json';
  const map = {
    ...{ v2v: V2V_VERSION, kind: body.kind, vehicle },
    ...(session === '' ? {} : { session }),
    ...{ sequence, sent_ns: isJson ? String(sentNs) : sentNs },
    ...(body.kind === 'state' ? { state: body.state } : { fleet: body.fleet }),
  };
  const bytes = isJson ? Buffer.from(JSON.stringify(map)) : Uint8Array.from(packr.pack(map));
  return key === undefined ? bytes : Buffer.concat([AUTH_MAGIC, tagOf(bytes, key), bytes]);
}

/**
 * Reads and checks a datagram; never throws. With a key, only authenticated ones are accepted; without one,
 * the HMAC of an authenticated datagram is ignored.
 *
 * @param maxBytes larger ones are not read.
 */
export function decodeDatagram(bytes: Uint8Array, maxBytes: number, key?: Uint8Array): DecodedDatagram {
  if (bytes.length > maxBytes) {
    return { fault: 'oversized', detail: `${bytes.length} bytes, allowed are ${maxBytes}` };
  }
  const isTagged = bytes.length > HEAD_BYTES && AUTH_MAGIC.equals(bytes.subarray(0, AUTH_MAGIC.length));
  const map = isTagged ? bytes.subarray(HEAD_BYTES) : bytes;
  if (key !== undefined) {
    if (!isTagged) return { fault: 'unauthenticated', detail: 'it carries no HMAC' };
    const tag = bytes.subarray(AUTH_MAGIC.length, HEAD_BYTES);
    if (!timingSafeEqual(tag, tagOf(map, key)))
      return { fault: 'forged', detail: 'its HMAC is not that of the key' };
  }
  return readMap(map, key !== undefined);
}

function tagOf(map: Uint8Array, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(AUTH_MAGIC).update(map).digest();
}

function readMap(bytes: Uint8Array, authenticated: boolean): DecodedDatagram {
  const encoding = bytes[0] === OPENING_BRACE ? 'json' : 'msgpack';
  try {
    const value: unknown =
      encoding === 'json'
        ? JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
        : plainTimes(unpackr.unpack(bytes));
    if (!isDatagram(value)) return malformed(firstFault());
    const wire = value;
    const sentNs = BigInt(wire.sent_ns);
    if (sentNs > MAX_SENT_NS) return malformed(`/sent_ns ${sentNs} lies after the year 2099`);
    const { vehicle, session = '', sequence } = wire;
    const body: V2vBody =
      wire.kind === 'state'
        ? { kind: 'state', state: present(wire.state) }
        : { kind: 'fleet', fleet: present(wire.fleet) };
    return { datagram: { vehicle, session, sequence, sentNs, body }, encoding, authenticated };
  } catch (error) {
    return malformed(`no ${encoding === 'json' ? 'JSON' : 'MessagePack map'}: ${describeError(error)}`);
  }
}

/** 64-bit integers of MessagePack: the sending time as text, others as numbers if they fit. */
function plainTimes(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const map = value as Record<string, unknown>;
  for (const [name, field] of Object.entries(map)) {
    if (typeof field !== 'bigint') continue;
    map[name] = name === 'sent_ns' ? String(field) : Number(field);
  }
  return map;
}

function firstFault(): string {
  const [error] = isDatagram.errors ?? [];
  return `${error?.instancePath || 'the datagram'} ${error?.message ?? 'is not allowed'}`;
}

function malformed(detail: string): DecodedDatagram {
  return { fault: 'malformed', detail: detail.slice(0, MAX_DETAIL_CHARS) };
}
