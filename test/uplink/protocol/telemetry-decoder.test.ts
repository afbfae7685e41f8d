import assert from 'node:assert/strict';
import { TelemetryDecoder } from '../../../src/uplink/protocol/telemetry-decoder.js';
import { TelemetryEncoder } from '../../../src/uplink/protocol/telemetry-encoder.js';
import type { TelemetryFrame } from '../../../src/uplink/protocol/telemetry-frame.js';
import { field, pace, TICK_NS } from './uplink-world.js';

const fields = [field({ path: 'a' }), field({ path: 'b', everyTicks: 5 })];

/** Frames of one epoch: full, then one with a change for each round. */
function framesOf(rounds: number, epoch = 1, run = 1n): TelemetryFrame[] {
  const catalogue = { tickNs: TICK_NS, fields };
  const encoder = new TelemetryEncoder({ run, epoch, catalogue, pace: { ...pace, flushTicks: 1 } });
  const frames: TelemetryFrame[] = [];
  for (let tick = 0; tick <= rounds; tick++) {
    frames.push(...encoder.sample(tick, BigInt(tick * TICK_NS), [tick * 10, 7]));
  }
  return frames;
}

function decoderAfter(...frames: readonly TelemetryFrame[]): TelemetryDecoder {
  const decoder = new TelemetryDecoder(1);
  for (const frame of frames) assert.equal(decoder.apply(frame).kind, 'ticks');
  return decoder;
}

describe('The decoder of telemetry', () => {
  const [full, first, second, third] = framesOf(3) as [
    TelemetryFrame,
    TelemetryFrame,
    TelemetryFrame,
    TelemetryFrame,
  ];

  it('knows nothing before the first full frame, and asks for one with the catalogue', () => {
    const decoder = new TelemetryDecoder(1);
    assert.equal(decoder.field(0).kind, 'unknown');
    assert.deepEqual(decoder.apply(first), { kind: 'unknown', reason: 'gap', needsCatalogue: true });
  });

  it('gives every field its value and the tick of its last sample', () => {
    const decoder = decoderAfter(full, first, second);
    const [a, b] = [decoder.field(0), decoder.field(1)];
    assert.ok(a.kind === 'known' && a.tick === 2 && Math.abs(a.value - 20) <= 1);
    assert.deepEqual(b, { kind: 'known', tick: 0, value: 7 });
  });

  it('after a lost frame knows nothing, and asks for a full frame', () => {
    const decoder = decoderAfter(full, first);
    assert.deepEqual(decoder.apply(third), { kind: 'unknown', reason: 'gap', needsCatalogue: false });
    assert.equal(decoder.field(0).kind, 'unknown');
    assert.equal(decoder.field(1).kind, 'unknown');
  });

  it('does not take a late frame for the end of a gap', () => {
    const decoder = decoderAfter(full, first);
    decoder.apply(third);
    assert.equal(decoder.apply(second).kind, 'unknown');
  });

  it('ignores frames that come twice, full ones too', () => {
    const decoder = decoderAfter(full, first, second);
    const before = decoder.field(0);
    for (const again of [full, first, second]) {
      assert.deepEqual(decoder.apply(again), { kind: 'ignored', reason: 'duplicate' });
    }
    assert.deepEqual(decoder.field(0), before);
  });

  it('ignores frames of an earlier epoch, and forgets everything at a later one', () => {
    const [newFull, newFirst] = framesOf(1, 2, 2n) as [TelemetryFrame, TelemetryFrame];
    const decoder = decoderAfter(full, newFull);
    assert.deepEqual(decoder.apply(first), { kind: 'ignored', reason: 'old_epoch' });
    const other = decoderAfter(full);
    assert.deepEqual(other.apply(newFirst), { kind: 'unknown', reason: 'gap', needsCatalogue: true });
    assert.equal(other.apply(first).kind, 'ignored');
  });

  it('refuses frames of epochs before the one that the ground gave last', () => {
    assert.deepEqual(new TelemetryDecoder(2).apply(full), { kind: 'ignored', reason: 'old_epoch' });
  });

  it('knows nothing after a message that could not be read', () => {
    const decoder = decoderAfter(full);
    decoder.lose();
    assert.equal(decoder.field(0).kind, 'unknown');
    assert.equal(decoder.apply(first).kind, 'unknown');
  });

  const misfits: Record<string, Partial<TelemetryFrame>> = {
    'a tick that does not follow': { firstTick: 2 },
    'a field that does not exist': { changes: [{ position: 9, kind: 'absent' }] },
    'a field that has no sample at that tick': { changes: [{ position: 1, kind: 'exact', value: 1 }] },
  };
  for (const [name, over] of Object.entries(misfits)) {
    it(`takes a frame with ${name} for a fault of the robot, and knows nothing`, () => {
      const decoder = decoderAfter(full);
      assert.deepEqual(decoder.apply({ ...first, ...over }), {
        ...{ kind: 'unknown', reason: 'inconsistent', needsCatalogue: true },
      });
      assert.equal(decoder.field(0).kind, 'unknown');
    });
  }

  it('takes a value that is not finite for a fault of the robot, though every part of it is', () => {
    const catalogue = { version: 1, tickNs: TICK_NS, fields: [field({ threshold: 1, quantum: 1e308 })] };
    const huge = { run: 1n, catalogueVersion: 1, catalogue, values: [1e308] };
    const decoder = decoderAfter({ ...full, full: huge });
    const reply = decoder.apply({ ...first, changes: [{ position: 0, kind: 'residual', residual: 9 }] });
    assert.equal(reply.kind === 'unknown' && reply.reason, 'inconsistent');
  });

  it('takes a residual for a field without a value for a fault of the robot', () => {
    const decoder = decoderAfter(full);
    const gone: TelemetryFrame = { ...first, changes: [{ position: 0, kind: 'absent' }] };
    assert.equal(decoder.apply(gone).kind, 'ticks');
    assert.deepEqual(decoder.field(0), { kind: 'absent', tick: 1 });
    const reply = decoder.apply({ ...second, changes: [{ position: 0, kind: 'residual', residual: 9 }] });
    assert.equal(reply.kind === 'unknown' && reply.reason, 'inconsistent');
  });
});
