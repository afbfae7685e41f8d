import assert from 'node:assert/strict';
import { decodeDatagram, encodeDatagram, type V2vDatagram } from '../../../src/sources/udp/datagram.js';
import { readSockets } from '../../../src/sources/udp/kernel-drops.js';
import type * as V2vEntrance from '../../../src/v2v/entry.js';
import { KEY, STANDING } from './v2v-traffic.js';
import { Random } from '../../../src/core/random.js';

const STATE: V2vDatagram = {
  ...{ vehicle: 'car1', session: 'b007', sequence: 7, sentNs: 1_790_000_000_123_456_789n },
  body: { kind: 'state', state: { x: 1.5, y: -2, theta: 0.25, v: 13.5 } },
};
const FLEET: V2vDatagram = {
  ...{ vehicle: 'car1', session: '', sequence: 0, sentNs: 1n },
  body: { kind: 'fleet', fleet: [{ vehicle: 'car2', x: 0, y: 0, theta: 0, v: 0, age_s: 0.5 }] },
};

const PACKED =
  '87a376327601a46b696e64a57374617465a776656869636c65a463617231a773657373696f6ea462303037a873' +
  '657175656e636507a773656e745f6e73d318d75b842b4ecd15a5737461746584a178cb3ff8000000000000a179' +
  'fea57468657461cb3fd0000000000000a176cb402b000000000000';
/** HMAC-SHA-256 of `HFA1` and the map, made with Python's hmac. */
const TAG = 'fdbf8c719c55678de26240ebff714e916771283913106f733ffa24a0f93b8f56';

/** Bytes of version 1, which later versions must continue to read. */
const golden: readonly (readonly [string, V2vDatagram, 'json' | 'msgpack', boolean, string])[] = [
  [
    'state as JSON',
    STATE,
    'json',
    false,
    Buffer.from(
      '{"v2v":1,"kind":"state","vehicle":"car1","session":"b007","sequence":7,' +
        '"sent_ns":"1790000000123456789","state":{"x":1.5,"y":-2,"theta":0.25,"v":13.5}}',
    ).toString('hex'),
  ],
  ['state as MessagePack', STATE, 'msgpack', false, PACKED],
  ['state as MessagePack with HMAC', STATE, 'msgpack', true, `48464131${TAG}${PACKED}`],
  [
    'fleet as JSON without session',
    FLEET,
    'json',
    false,
    Buffer.from(
      '{"v2v":1,"kind":"fleet","vehicle":"car1","sequence":0,"sent_ns":"1",' +
        '"fleet":[{"vehicle":"car2","x":0,"y":0,"theta":0,"v":0,"age_s":0.5}]}',
    ).toString('hex'),
  ],
];

describe('A vehicle-to-vehicle datagram', () => {
  for (const [name, datagram, encoding, isAuthenticated, hex] of golden) {
    it(`has the bytes of version 1: ${name}`, () => {
      const key = isAuthenticated ? KEY : undefined;
      assert.equal(Buffer.from(encodeDatagram(datagram, encoding, key)).toString('hex'), hex);
      const decoded = decodeDatagram(Buffer.from(hex, 'hex'), 1_000, key);
      assert.deepEqual(decoded, { datagram, encoding, authenticated: isAuthenticated });
    });
  }

  it('is made and read by the library entrance holdfast/v2v', async () => {
    // By the name of the package, as a program that has it installed would.
    const entrance = ['holdfast', 'v2v'].join('/');
    const { V2vSender, decodeDatagram: decode } = (await import(entrance)) as typeof V2vEntrance;
    const sender = new V2vSender({ vehicle: 'car1', session: 'b007', key: KEY }, () => 5n);
    sender.state(STANDING);
    const read = decode(sender.state(STANDING), 1_000, KEY);
    assert.deepEqual(
      'datagram' in read && [read.authenticated, read.datagram.sequence, read.datagram.sentNs],
      [true, 2, 5n],
    );
  });

  it('is read without a key too when it carries an HMAC', () => {
    const decoded = decodeDatagram(encodeDatagram(STATE, 'json', KEY), 1_000);
    assert.deepEqual(decoded, { datagram: STATE, encoding: 'json', authenticated: false });
  });

  it('is refused for any single bit that was changed under an HMAC', () => {
    const genuine = encodeDatagram(STATE, 'msgpack', KEY);
    for (let bit = 0; bit < genuine.length * 8; bit++) {
      const bytes = Uint8Array.from(genuine);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      assert.ok('fault' in decodeDatagram(bytes, 1_000, KEY), `bit ${bit}`);
    }
  });

  it('never throws for any bytes', () => {
    const genuine = encodeDatagram(STATE, 'msgpack');
    const random = new Random(1);
    const next = (): number => random.bits() >>> 8;
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from(i % 2 === 0 ? genuine : new Uint8Array(next() % 60));
      for (let n = 0; n < 1 + (i % 5); n++) bytes[next() % Math.max(1, bytes.length)] = next();
      decodeDatagram(bytes.subarray(0, i % 7 === 0 ? next() % (bytes.length + 1) : bytes.length), 1_000);
    }
  });
});

describe('The drops of the kernel', () => {
  const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  331: 00000000:1B58 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 98765 2 0000000000000000 12
  332: 0100007F:1B58 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 98766 2 0000000000000000 0
  400: 00000000:1B59 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 98767 2 0000000000000000 9
`;

  it('are read per socket of the port', () => {
    assert.deepEqual(
      [...readSockets(table, 7_000)],
      [
        [98_765, 12],
        [98_766, 0],
      ],
    );
    assert.deepEqual([...readSockets(table, 7_002)], []);
    assert.deepEqual([...readSockets('', 7_000)], []);
  });
});
