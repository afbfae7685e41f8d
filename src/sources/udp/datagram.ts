import { createHmac, timingSafeEqual } from 'node:crypto';
import { Ajv } from 'ajv';
import { Packr, Unpackr } from 'msgpackr';
import { describeError } from '../../core/errors.js';
import { datagramSchema, MAX_SENT_NS, V2V_VERSION } from './v2v-schema.js';

/** How the map of a datagram is written. */
export type V2vEncoding = 'json' | 'msgpack';

export interface VehicleState {
  /** Metres east and north of the map's origin. */
  readonly x: number;
  readonly y: number;
  /** Radians, counter-clockwise from east. */
  readonly theta: number;
  /** m/s along the heading. */
  readonly v: number;
  readonly [further: string]: number | string | boolean | null;
}

export interface FleetMember extends VehicleState {
  readonly vehicle: string;
}

export type V2vBody =
  | { readonly kind: 'state'; readonly state: VehicleState }
  | { readonly kind: 'fleet'; readonly fleet: readonly FleetMember[] };

export interface V2vDatagram {
  readonly vehicle: string;
  /** Empty where the sender has none. */
  readonly session: string;
  /** Counts the datagrams of this vehicle, session and kind. */
  readonly sequence: number;
  /** Nanoseconds since the Unix epoch. */
  readonly sentNs: bigint;
  readonly body: V2vBody;
}

export type DatagramFault = 'malformed' | 'oversized' | 'unauthenticated' | 'forged';

export type DecodedDatagram =
  | {
      readonly datagram: V2vDatagram;
      readonly encoding: V2vEncoding;
      /** Its HMAC was checked. */
      readonly authenticated: boolean;
    }
  | { readonly fault: DatagramFault; readonly detail: string };

/**
 * Before the map of an authenticated datagram stand these four bytes (`HFA1`) and the HMAC-SHA-256 of the
 * four bytes and the map. None of them begins a map in JSON (`{`) or MessagePack (0x80-0x8f, 0xde, 0xdf).
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
 * Reads and checks a datagram; never throws. With a key only authenticated ones are accepted; without one
 * the HMAC of an authenticated datagram is passed over.
 *
 * @param maxBytes larger ones are not looked at.
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
      wire.kind === 'state' ? { kind: 'state', state: wire.state! } : { kind: 'fleet', fleet: wire.fleet! };
    return { datagram: { vehicle, session, sequence, sentNs, body }, encoding, authenticated };
  } catch (error) {
    return malformed(`no ${encoding === 'json' ? 'JSON' : 'MessagePack map'}: ${describeError(error)}`);
  }
}

/** 64-bit integers of MessagePack: the time of sending as text, others as numbers where they fit. */
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
