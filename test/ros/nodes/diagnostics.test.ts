import assert from 'node:assert/strict';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { present } from '../../../src/core/present.js';
import { defined } from '../../../src/core/defined.js';
import { diagnosticFields, levels, type Diagnostic } from '../../../src/app/ros/diagnostic.js';
import {
  RecentGrowth,
  recorderDiagnostics,
  type RecorderExpectations,
  type SourceProblem,
} from '../../../src/app/ros/recorder-diagnostics.js';
import { syncDiagnostics } from '../../../src/app/ros/sync-diagnostics.js';
import { rosMessages } from '../../../src/app/ros/ros-messages.js';
import type { RecorderStatus, SyncStatus } from '../../../src/core/status.js';
import { recorderStatus, syncStatus } from './status-samples.js';

const expected: RecorderExpectations = {
  robot: 'robot_1',
  lossWindowMs: 20,
  minFreeBytes: 2 ** 30,
  minFreePercent: 5,
};
const { stalledReason: _reason, wal, ...sample } = recorderStatus;
/** Nothing is wrong with it. */
const healthy: RecorderStatus = {
  ...sample,
  state: 'recording',
  wal: { ...wal, setAside: 0 },
  sources: [{ uri: 'ros:', state: 'open' }],
  disk: { freeBytes: 50e9, totalBytes: 100e9, evictedSegments: 0 },
};

function diagnose(
  status: RecorderStatus,
  recent = new RecentGrowth(() => 0),
  problems: readonly SourceProblem[] = [],
): Map<string, Diagnostic> {
  return new Map(recorderDiagnostics(status, expected, recent, problems).map((one) => [one.task, one]));
}

describe('diagnostics of the recorder', () => {
  const level = (task: string, status: RecorderStatus): number | undefined =>
    diagnose(status).get(task)?.level;

  it('are OK while it records, with the robot as hardware id', () => {
    for (const one of diagnose(healthy).values()) {
      assert.equal(one.level, levels.ok, `${one.task}: ${one.message}`);
      assert.equal(one.hardwareId, one.task.startsWith('robot ') ? one.task.slice(6) : 'robot_1');
    }
  });

  it('warn if nothing is recorded, and report an error if it is stalled or did not reach its state', () => {
    for (const state of ['paused', 'inactive', 'stopped'] as const) {
      assert.equal(level('recording', { ...healthy, state }), levels.warn, state);
    }
    assert.equal(level('recording', { ...healthy, state: 'draining' }), levels.ok);
    const stalled = { ...healthy, state: 'stalled', stalledReason: 'commit_failed: EIO' } as const;
    assert.equal(level('recording', stalled), levels.error);
    assert.equal(
      level('recording', { ...healthy, state: 'stopped', stalledReason: 'configure failed' }),
      levels.error,
    );
  });

  it('use the loss window beyond the one that the settings imply', () => {
    const at = (ms: number): number | undefined =>
      level('durability', { ...healthy, lossWindow: { ...healthy.lossWindow, ms } });
    assert.equal(at(900), levels.ok);
    assert.equal(at(2_000), levels.warn);
    assert.equal(at(20_000), levels.error);
  });

  it('warn of drops for a minute after the last one, but not of a manual pause', () => {
    let now = 0;
    const recent = new RecentGrowth(() => now);
    const dropped = (count: number, paused: number): RecorderStatus => ({
      ...healthy,
      totals: {
        ...healthy.totals,
        dropped: count + paused,
        droppedByReason: { queue_full_drop_oldest: count, paused },
      },
    });
    const drops = (status: RecorderStatus): number | undefined =>
      diagnose(status, recent).get('drops')?.level;
    assert.equal(drops(dropped(5, 0)), levels.ok, 'what it starts with is history');
    assert.equal(drops(dropped(6, 0)), levels.warn);
    now = 59_000;
    assert.equal(drops(dropped(6, 0)), levels.warn);
    now = 61_000;
    assert.equal(drops(dropped(6, 0)), levels.ok);
    assert.equal(drops(dropped(6, 100)), levels.ok);
  });

  it('go by the free space that is to be kept', () => {
    const free = (freeBytes: number): number | undefined =>
      level('disk', { ...healthy, disk: { freeBytes, totalBytes: 100e9, evictedSegments: 0 } });
    assert.equal(free(50e9), levels.ok);
    assert.equal(free(1.5 * 2 ** 30), levels.warn);
    assert.equal(free(0.5 * 2 ** 30), levels.error);
  });

  it('distinguish a failed source from a waiting one', () => {
    const sources = (state: string, detail?: string): number | undefined =>
      level('sources', {
        ...healthy,
        sources: [{ uri: 'ros:', state, ...defined({ detail }) }],
      });
    assert.equal(sources('open'), levels.ok);
    assert.equal(sources('done'), levels.ok);
    assert.equal(sources('waiting', 'no /clock yet'), levels.warn);
    assert.equal(sources('failed', 'no such file'), levels.error);
  });

  it('name topics that cannot be recorded whole', () => {
    const problem = { kind: 'no-type-support', topic: '/odd', detail: 'odd_msgs is not installed' };
    const topics = diagnose(healthy, undefined, [problem]).get('topics');
    assert.equal(topics?.level, levels.warn);
    assert.match(present(topics).message, /1 with trouble: \/odd no-type-support: odd_msgs is not installed/);
  });
});

describe('diagnostics of anomalies', () => {
  const anomalies = present(recorderStatus.anomalies);
  const saw = (seen: number): RecorderStatus => ({
    ...healthy,
    anomalies: { ...anomalies, rules: anomalies.rules.map((rule) => ({ ...rule, seen })) },
  });

  it('warn for a minute after a rule found something, with its description', () => {
    let now = 0;
    const recent = new RecentGrowth(() => now);
    const at = (status: RecorderStatus): Diagnostic => present(diagnose(status, recent).get('anomalies'));
    assert.equal(at(saw(12)).level, levels.ok, 'what it starts with is history');
    assert.equal(at(saw(13)).level, levels.warn);
    assert.equal(at(saw(13)).message, 'within the last minute: imu jump: /imu: 99');
    assert.equal(at(saw(13)).values['low battery'], '13 seen, 0 marked as events');
    now = 61_000;
    assert.equal(at(saw(13)).level, levels.ok);
  });

  it('are absent without rules', () => {
    const { anomalies: _without, ...status } = healthy;
    assert.equal(diagnose(status).has('anomalies'), false);
  });
});

describe('diagnostics of sync', () => {
  const NOW = BigInt(syncStatus.linkSince) + 65_000_000_000n;
  const { lastError: _error, ...rest } = syncStatus;
  const fine: SyncStatus = { ...rest, alarms: [], segments: { pending: 1, verified: 2, parked: 0 } };
  const diagnose = (status: SyncStatus): Map<string, Diagnostic> =>
    new Map(syncDiagnostics(status, 'robot_1', NOW).map((one) => [one.task, one]));

  it('are OK while the link is online and nothing is parked', () => {
    for (const one of diagnose(fine).values()) assert.equal(one.level, levels.ok, one.task);
  });

  it('name the checksums that the store refuses, and each of several sinks', () => {
    const all = diagnose(fine);
    assert.equal(all.get('link')?.values['store refuses'], 'checksums');
    assert.equal(all.get('uploads')?.values['sink parquet'], 'offline, 11 pending, 13 parked, 0 lost');
  });

  it('warn while offline, since when and why', () => {
    const link = diagnose({ ...fine, link: 'offline', lastError: 'no route to host' }).get('link');
    assert.equal(link?.level, levels.warn);
    assert.match(present(link).message, /^offline for 1.*: no route to host$/);
  });

  it('report an error if a segment is parked, or if the store itself refuses', () => {
    const alarms = [{ segment: 's', robot: 'r', code: 'STORE_REJECTED', message: 'no' }];
    const parked = { ...fine, alarms, segments: { ...fine.segments, parked: 1 } };
    assert.equal(diagnose(parked).get('uploads')?.level, levels.error);
    const refused = [{ segment: '', robot: '', code: 'STORE_MISMATCH', message: 'another id' }];
    assert.equal(diagnose({ ...fine, alarms: refused }).get('link')?.level, levels.error);
    assert.equal(diagnose({ ...fine, alarms: refused }).get('uploads')?.level, levels.ok);
  });

  it('read back from CDR under names that start with the node', () => {
    const { diagnosticArray: type } = rosMessages;
    const all = syncDiagnostics(fine, 'robot_1', NOW);
    const bytes = type.encode(diagnosticFields(all, 'robot_1/holdfast_sync', NOW));
    const read = new MessageReader([...type.definitions]).readMessage<{
      status: {
        level: number;
        name: string;
        hardware_id: string;
        values: { key: string; value: string }[];
      }[];
    }>(bytes);
    assert.deepEqual(
      read.status.map(({ name, hardware_id }) => [name, hardware_id]),
      [
        ['robot_1/holdfast_sync: link', 'robot_1'],
        ['robot_1/holdfast_sync: uploads', 'robot_1'],
      ],
    );
    assert.deepEqual(read.status[0]!.values[0], { key: 'link', value: 'online' });
  });
});
