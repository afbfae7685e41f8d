/**
 * The datagrams between vehicles and the messages they are recorded as, as JSON Schema. The first is what
 * every datagram is checked against; docs/v2v-datagram.schema.json is generated from it.
 */

/** Version of the datagram format, the value of its field `v2v`. */
export const V2V_VERSION = 1;
/** Members of one fleet datagram. */
export const MAX_FLEET_MEMBERS = 256;

const number = (description: string, limits: object = {}): object => ({
  type: 'number',
  description,
  ...limits,
});

const vehicleName = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$',
  description: 'Name of the vehicle; its topics begin with it.',
};

/** Further fields of a sender, one level deep: a datagram cannot nest without end. */
const further = { type: ['number', 'string', 'boolean', 'null'] };

const motion = {
  x: number('East of the origin of the map, metres.'),
  y: number('North of the origin of the map, metres.'),
  theta: number('Heading, radians, counter-clockwise from east.'),
  v: number('Speed along the heading, m/s.'),
};

const state = {
  type: 'object',
  description: 'State of the sending vehicle.',
  properties: {
    ...motion,
    latitude: number('Degrees, WGS 84.', { minimum: -90, maximum: 90 }),
    longitude: number('Degrees, WGS 84.', { minimum: -180, maximum: 180 }),
    altitude: number('Metres above the WGS 84 ellipsoid.'),
    yaw_rate: number('rad/s, counter-clockwise.'),
    acceleration: number('Along the heading, m/s2.'),
    battery: number('Charge, 0 to 1.', { minimum: 0, maximum: 1 }),
  },
  required: ['x', 'y', 'theta', 'v'],
  additionalProperties: further,
};

const fleet = {
  type: 'array',
  description: 'What the sender knows or estimates of the vehicles of the fleet.',
  maxItems: MAX_FLEET_MEMBERS,
  items: {
    type: 'object',
    properties: {
      vehicle: vehicleName,
      ...motion,
      age_s: number('Age of the estimate when it was sent, seconds.', { minimum: 0 }),
    },
    required: ['vehicle', 'x', 'y', 'theta', 'v'],
    additionalProperties: further,
  },
};

const sender = {
  vehicle: vehicleName,
  session: {
    type: 'string',
    maxLength: 64,
    description: 'Chosen again at each start of the sender, such as a boot id; needed for authentication.',
  },
  sequence: {
    type: 'integer',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'Counts the datagrams of this vehicle, session and kind, one by one.',
  },
};

/** Later than any clock that is merely wrong: the end of the year 2099. */
export const MAX_SENT_NS = 4_102_444_800_000_000_000n;

export const datagramSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Vehicle-to-vehicle datagram, version 1',
  type: 'object',
  properties: {
    v2v: { const: V2V_VERSION, description: 'Version of this format.' },
    kind: { enum: ['state', 'fleet'] },
    ...sender,
    sent_ns: {
      type: ['integer', 'string'],
      pattern: '^[1-9][0-9]{0,18}$',
      minimum: 1,
      description:
        'When it was sent, nanoseconds since the Unix epoch. In JSON as a string: as a number it loses its last digits.',
    },
    state,
    fleet,
  },
  required: ['v2v', 'kind', 'vehicle', 'sequence', 'sent_ns'],
  additionalProperties: false,
  oneOf: [
    { properties: { kind: { const: 'state' }, fleet: false }, required: ['state'] },
    { properties: { kind: { const: 'fleet' }, state: false }, required: ['fleet'] },
  ],
};

const time = (description: string): object => ({
  type: 'object',
  description,
  properties: { sec: { type: 'integer' }, nsec: { type: 'integer' } },
  required: ['sec', 'nsec'],
});

const count = (description: string): object => ({ type: 'integer', minimum: 0, description });

function recorded(title: string, body: object): object {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title,
    type: 'object',
    properties: {
      ...sender,
      sender: { type: 'string', description: 'Address and port it came from.' },
      sent: time('As the sender says.'),
      received: time('As the recorder took it from the socket.'),
      encoding: { enum: ['json', 'msgpack'], description: 'Of the datagram.' },
      authenticated: { type: 'boolean', description: 'Its HMAC was checked.' },
      order: {
        enum: ['next', 'reordered', 'late'],
        description:
          'next: newer than all before; reordered: overtaken by others; late: already counted lost.',
      },
      ...body,
    },
  };
}

export const stateMessageSchema = recorded('holdfast.V2vState', { state });
export const fleetMessageSchema = recorded('holdfast.V2vFleet', { fleet });

export const linkMessageSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'holdfast.V2vLink',
  description: 'How the datagrams of one vehicle arrived. Counts are since the recorder started.',
  type: 'object',
  properties: {
    vehicle: vehicleName,
    time: time('End of the interval.'),
    interval_s: number('Length of the interval the latencies are of, seconds.'),
    received: count('Datagrams recorded.'),
    lost: count('Numbers that did not arrive in time.'),
    reordered: count('Arrived after a later number.'),
    late: count('Arrived after they had been counted as lost.'),
    duplicates: count('Arrived again; not recorded again.'),
    replayed: count('Refused as replayed.'),
    restarts: count('The sender started again.'),
    clock_steps: count('Its clock (or that of the recorder) jumped by a second or more.'),
    conflict: {
      type: 'boolean',
      description: 'In this interval datagrams of several senders with this name alternated.',
    },
    latency_ms: {
      type: ['object', 'null'],
      description: 'Received minus sent: with the difference of the clocks in it.',
      properties: { min: { type: 'number' }, mean: { type: 'number' }, max: { type: 'number' } },
    },
    jitter_ms: { type: ['number', 'null'], description: 'As RFC 3550 defines it.' },
    senders: {
      type: 'array',
      description: 'Who was heard under this name in the interval.',
      items: {
        type: 'object',
        properties: {
          sender: { type: 'string' },
          session: { type: 'string' },
          received: count('Datagrams of the interval.'),
        },
      },
    },
  },
};
