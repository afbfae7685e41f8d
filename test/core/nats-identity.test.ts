import assert from 'node:assert/strict';
import { natsIdentity, natsIdentityKey } from '../../src/core/nats-identity.js';
import { present } from '../../src/core/present.js';

const created = '2026-11-21T08:00:00.123456789Z';
const metadata = { nats_stream: 'LOGS', nats_stream_created: created };

describe('The identity of a JetStream message', () => {
  it('is its stream, when that was created, and its sequence there', () => {
    assert.deepEqual(natsIdentity({ metadata }, 7), {
      stream: 'LOGS',
      streamCreated: created,
      sequence: 7n,
    });
  });

  it('has the bits of the sequence that MCAP has no room for', () => {
    const channel = { metadata: { ...metadata, holdfast_sequence_high: '3' } };
    assert.equal(natsIdentity(channel, 2 ** 32 - 1)?.sequence, 4n * 2n ** 32n - 1n);
    assert.equal(natsIdentity({ metadata: { ...metadata, holdfast_sequence_high: 'x' } }, 1)?.sequence, 1n);
  });

  it('is absent for messages of other sources', () => {
    assert.equal(natsIdentity({ metadata: {} }, 1), undefined);
    assert.equal(natsIdentity({ metadata: { nats_stream: 'LOGS' } }, 1), undefined);
  });

  it('has keys that are equal for the same message only', () => {
    const keys = [
      natsIdentity({ metadata }, 1),
      natsIdentity({ metadata }, 2),
      natsIdentity({ metadata: { ...metadata, nats_stream: 'OTHER' } }, 1),
      natsIdentity({ metadata: { ...metadata, nats_stream_created: '2026-11-22T08:00:00Z' } }, 1),
      natsIdentity({ metadata: { ...metadata, holdfast_sequence_high: '1' } }, 1),
    ].map((identity) => natsIdentityKey(present(identity)));
    assert.equal(new Set(keys).size, keys.length);
    assert.equal(natsIdentityKey(present(natsIdentity({ metadata: { ...metadata } }, 1))), keys[0]);
  });
});
