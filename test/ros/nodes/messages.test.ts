import assert from 'node:assert/strict';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import type { Fields } from '../../../src/app/ros/cdr-encoder.js';
import type { MessageType } from '../../../src/app/ros/message-type.js';
import { rosMessages } from '../../../src/app/ros/ros-messages.js';
import {
  gapFields,
  linkChangedFields,
  recorderStatusFields,
  segmentSealedFields,
  segmentSyncedFields,
  syncStatusFields,
  TOPIC_STATS_MAX,
  topicStatsFields,
} from '../../../src/app/ros/status-fields.js';
import type { RecorderStatus } from '../../../src/core/status.js';
import { gap, manifest, recorderStatus, syncStatus, topicStats } from './status-samples.js';

const STAMP = 1_795_235_891_384_222_080n;

const linkChanged = {
  kind: 'link',
  link: 'offline',
  since: '1795235891384222081',
  reason: 'no route',
} as const;
const synced = {
  kind: 'segment-synced',
  segment: 'seg.robot_1',
  robot: 'robot_1',
  key: 'k',
  bytes: 1,
  messages: 2,
  durationMs: 3.5,
  resumed: true,
} as const;

const samples: readonly (readonly [type: MessageType, fields: Fields])[] = [
  [rosMessages.recorderStatus, recorderStatusFields(recorderStatus, STAMP)],
  [rosMessages.syncStatus, syncStatusFields(syncStatus, STAMP)],
  [rosMessages.topicStatsArray, topicStatsFields([topicStats(1), topicStats(2)], STAMP)],
  [rosMessages.segmentSealed, segmentSealedFields(manifest, '/data', STAMP)],
  [rosMessages.segmentSynced, segmentSyncedFields(synced, STAMP)],
  [rosMessages.linkChanged, linkChangedFields(linkChanged, STAMP)],
  [rosMessages.gap, gapFields(gap, STAMP)],
];

function decode(type: MessageType, bytes: Uint8Array): Record<string, unknown> {
  return new MessageReader([...type.definitions]).readMessage(bytes);
}

/** What the reader gives for a value that was written. */
function asRead(written: unknown, read: unknown): unknown {
  if (typeof written === 'bigint' && typeof read === 'object') {
    const { sec, nanosec } = read as { sec: number; nanosec: number };
    return BigInt(sec) * 1_000_000_000n + BigInt(nanosec);
  }
  return typeof read === 'bigint' ? Number(read) : read;
}

function assertSame(written: Fields, read: Record<string, unknown>, path: string): void {
  for (const [name, value] of Object.entries(written)) {
    const at = `${path}.${name}`;
    if (Array.isArray(value)) {
      const list = Array.from(read[name] as ArrayLike<unknown>);
      assert.equal(list.length, value.length, at);
      value.forEach((one: unknown, index) => {
        if (typeof one === 'object') assertSame(one as Fields, list[index] as Record<string, unknown>, at);
        else assert.equal(asRead(one, list[index]), one, at);
      });
    } else {
      assert.equal(asRead(value, read[name]), value, at);
    }
  }
}

describe('messages of the ROS nodes', () => {
  for (const [type, fields] of samples) {
    it(`fill every field of ${type.name}, and nothing it does not have`, () => {
      const declared = type.definitions[0]!.definitions.filter((field) => field.isConstant !== true);
      assert.deepEqual(Object.keys(fields).sort(), declared.map(({ name }) => name).sort());
      for (const [name, value] of Object.entries(fields)) assert.notEqual(value, undefined, name);
    });

    it(`read back the written values from CDR as ${type.name}`, () => {
      assertSame(fields, decode(type, type.encode(fields)), type.name);
    });
  }

  it('say each number of a status in the field that mirrors it', () => {
    // Distinct numbers of the sample, so that two fields changed for one another show.
    const read = decode(
      rosMessages.recorderStatus,
      rosMessages.recorderStatus.encode(recorderStatusFields(recorderStatus, STAMP)),
    );
    assert.equal(read['state'], 4);
    assert.equal(read['stalled_reason'], 'disk_full: Größe überschritten');
    assert.equal(read['loss_window_max_ms'], 43.25);
    assert.equal((read['robots'] as { robot: string }[])[1]!.robot, 'r2');
    assert.deepEqual(read['source_details'], ['', 'nobody there']);
    assert.deepEqual(read['drop_reasons'], ['queue_full_drop_oldest', 'paused']);
    assert.deepEqual([...(read['drop_counts'] as Iterable<bigint>)], [2n, 1n]);
    assert.equal(read['segments_set_aside'], 1);
    assert.equal(read['at_rest_key_name'], 'key:fedcba9876543210');
    assert.equal(read['anomaly_messages_undecoded'], 18n);
    assert.deepEqual(
      (read['anomaly_rules'] as { rule: string; seen: bigint; last: string }[]).map(
        ({ rule, seen, last }) => `${rule} ${seen} ${last}`,
      ),
      ['imu jump 12 /imu: 99', 'low battery 0 '],
    );
    const sync = decode(
      rosMessages.syncStatus,
      rosMessages.syncStatus.encode(syncStatusFields(syncStatus, STAMP)),
    );
    assert.equal(sync['link'], 1);
    assert.equal(sync['is_syncing'], true);
    assert.equal(sync['segments_lost'], 5n);
    assert.equal(sync['segments_retrying'], 14n);
    assert.deepEqual(
      [sync['send_open'], sync['send_reason'], sync['send_budget_bytes']],
      [false, 'topic=/docked (it is false)', 26n],
    );
    assert.deepEqual(sync['send_conditions'], ['topic=/docked', 'metered=no']);
    assert.deepEqual(sync['send_condition_alternatives'], Uint32Array.of(0, 1));
    assert.deepEqual(sync['send_condition_states'], ['unmet', 'unknown']);
    assert.deepEqual(sync['encrypted_for'], ['hfpub1_a', 'key:0123456789abcdef']);
    assert.deepEqual([sync['store_refuses'], sync['store_refuses_server']], ['checksums', 'Pail/1.0']);
    assert.deepEqual(
      (sync['sinks'] as { name: string; link: number; bytes_pending: bigint; segments_lost: bigint }[]).map(
        ({ name, link, bytes_pending, segments_lost }) => [name, link, bytes_pending, segments_lost],
      ),
      [
        ['mcap', 1, 60n, 9n],
        ['parquet', 2, 110n, 0n],
      ],
    );
    assert.deepEqual(sync['alarms'], ['robot_1 x.robot_1 STORE_REJECTED: no', 'STORE_MISMATCH: another id']);
  });

  it('write -1 for times that are not known', () => {
    const { nextRetryInMs: _retry, etaMs: _eta, storeLatencyMs: _latency, ...known } = syncStatus;
    const { current: _current, storeRefuses: _refuses, sinks: _sinks, ...wide } = known;
    const { sendPolicy: _policy, encryptedFor: _recipients, ...rest } = wide;
    const read = decode(rosMessages.syncStatus, rosMessages.syncStatus.encode(syncStatusFields(rest, STAMP)));
    assert.equal(read['next_retry_in_ms'], -1n);
    assert.equal(read['eta_ms'], -1n);
    assert.equal(read['store_latency_ms'], -1);
    assert.equal(read['current_segment'], '');
    assert.equal(read['current_progress'], 0);
    assert.deepEqual([read['send_open'], read['send_conditions'], read['encrypted_for']], [true, [], []]);
    assert.equal(read['store_refuses'], '');
    assert.deepEqual(read['sinks'], []);
  });

  it('know a constant for every state of a recorder and of the link', () => {
    // Complete by its type: a state more in the status does not compile here.
    const states: Record<RecorderStatus['state'], number> = {
      recovering: 0,
      recording: 1,
      paused: 2,
      draining: 3,
      stalled: 4,
      stopped: 5,
      inactive: 6,
    };
    for (const [state, value] of Object.entries(states)) {
      const status = { ...recorderStatus, state: state as RecorderStatus['state'] };
      assert.equal(recorderStatusFields(status, STAMP)['state'], value, state);
    }
    for (const link of ['unknown', 'online', 'offline'] as const) {
      syncStatusFields({ ...syncStatus, link }, STAMP);
      linkChangedFields({ ...linkChanged, link }, STAMP);
    }
  });

  it('keep whole strings of any script', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const { gap: type } = rosMessages;
        const read = decode(type, type.encode({ ...gapFields(gap, STAMP), detail: text }));
        assert.equal(read['detail'], text.replaceAll('\0', ''));
      }),
    );
  });

  it('hold the busiest topics, and count those left out', () => {
    const all = Array.from({ length: TOPIC_STATS_MAX + 5 }, (_, index) => topicStats(index));
    const fields = topicStatsFields(all, STAMP);
    assert.equal((fields['topics'] as unknown[]).length, TOPIC_STATS_MAX);
    assert.equal(fields['omitted'], 5);
    assert.ok(!(fields['topics'] as Fields[]).some(({ topic }) => topic === '/topic_0'));
    const bytes = rosMessages.topicStatsArray.encode(topicStatsFields(all.slice(0, 300), STAMP));
    assert.ok(bytes.length < 64 * 1024, `300 topics take ${bytes.length} bytes`);
  });
});
