import assert from 'node:assert/strict';
import { describeSync } from '../../../src/app/cli/describe-status.js';
import { syncLine } from '../../../src/app/cli/live-report.js';
import type { SyncStatus } from '../../../src/core/status.js';

const status: SyncStatus = {
  ...{ role: 'sync', version: 'test', pid: 1, dataFolder: '/data', store: 's3://fleet' },
  ...{ startedAt: '0', isSyncing: false, link: 'online', linkSince: '0', uploadErrors: 4 },
  segments: { pending: 3, verified: 2, parked: 0, lost: 0, retrying: 1 },
  bytes: { pending: 2_000, verified: 1_000, resent: 0 },
  ...{ resumedUploads: 0, transferBytesPerS: 0, alarms: [] },
  lastError: 'CompleteMultipartUpload failed (400 InvalidPart)',
};

describe('sync for a person', () => {
  it('reports beside "online" that a segment failed and is tried again, and why', () => {
    const lines = describeSync(status, 1_000).join('\n');
    assert.match(lines, /^sync +online/);
    assert.match(lines, /pending +3 segments, 2.0 kB, 1 of them failed and will be tried again/);
    assert.match(lines, /errors +4, last: CompleteMultipartUpload failed \(400 InvalidPart\)/);
    assert.match(syncLine(status), /^online: 2 verified, 3 pending .* \| 1 FAILED, will be tried again/);
  });

  it('says which condition keeps what waiting, and what passes', () => {
    const sendPolicy: NonNullable<SyncStatus['sendPolicy']> = {
      ...{ isOpen: false, since: '0', passing: ['events'], day: '2026-12-01', spentBytes: 5_000 },
      conditions: [{ condition: 'ssid=Depot', alternative: 0, state: 'unmet', reason: 'no Wi-Fi' }],
      reason: 'ssid=Depot (no Wi-Fi)',
      waiting: { segments: 3, bytes: 2_000, objects: 6, requests: 27 },
      budgetBytes: 10_000,
    };
    const waiting = { ...status, sendPolicy };
    const lines = describeSync(waiting, 1_000).join('\n');
    assert.match(lines, /may send +no, for 1.0 s: ssid=Depot \(no Wi-Fi\); still sent: events/);
    assert.match(
      lines,
      /waiting +3 segments, 2.0 kB, 6 objects, about 27 requests, 0.2 days of the budget\n +sent +5.0 kB of 10.0 kB on 2026-12-01/,
    );
    assert.match(syncLine(waiting), / \| WAITS: ssid=Depot \(no Wi-Fi\)$/);
  });

  it('forecasts a day of each robot in one line', () => {
    const cost = { bytesPerDay: 2e9, objectsPerDay: 40, requestsPerDay: 400 };
    const forecast = [
      { robot: 'car-1', ...cost },
      { robot: '', ...cost },
    ];
    assert.match(
      describeSync({ ...status, forecast }, 1_000).join('\n'),
      /per day +car-1 2.0 GB, 40 objects, 400 requests; others 2.0 GB/,
    );
  });

  it('reports nothing while no segment waits for another attempt', () => {
    const fine = { ...status, segments: { ...status.segments, retrying: 0 } };
    assert.doesNotMatch(`${describeSync(fine, 1_000).join('\n')} ${syncLine(fine)}`, /tried again/);
  });
});
