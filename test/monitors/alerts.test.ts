import assert from 'node:assert/strict';
import fc from 'fast-check';
import { silentLogger } from '../../src/core/logger.js';
import type { LogStats } from '../../src/core/monitoring.js';
import { present } from '../../src/core/present.js';
import type { RecorderStatus, SinkStatus, SyncStatus } from '../../src/core/status.js';
import { describeRecorder } from '../../src/app/cli/describe-status.js';
import type { Known } from '../../src/monitors/metrics/known.js';
import { recorderMetrics } from '../../src/monitors/metrics/recorder-metrics.js';
import { syncMetrics } from '../../src/monitors/metrics/sync-metrics.js';
import { describeParquet } from '../../src/monitors/alerts/parquet-watch.js';
import { AlertFactsGatherer } from '../../src/monitors/alerts/alert-facts.js';
import {
  alertIds,
  alertRules,
  type AlertFacts,
  type AlertId,
} from '../../src/monitors/alerts/alert-rules.js';
import { evaluateAlerts, type Alert, type AlertMemories } from '../../src/monitors/alerts/evaluate-alerts.js';
import { Webhook, type WebhookBody } from '../../src/monitors/alerts/webhook.js';
import { recorderStatus, syncStatus } from './fake-recorder.js';
import { systemTimers } from '../../src/host/system-clock.js';
import type { Timers } from '../../src/core/clock.js';

const limits = {
  lossWindowMs: 2_000,
  diskTimeToFullMs: 3_600_000,
  syncStalledMs: 600_000,
  linkDownMs: 1_800_000,
};
const rules = alertRules(limits);

/** Feeds facts second by second and notes what was raised and cleared when. */
class Run {
  memories: AlertMemories = {};
  nowMs = 0;
  readonly changes: string[] = [];
  alerts: readonly Alert[] = [];

  feed(facts: AlertFacts, seconds = 1): this {
    for (let n = 0; n < seconds; n++) {
      const round = evaluateAlerts(rules, facts, this.memories, this.nowMs, this.nowMs);
      this.memories = round.memories;
      this.alerts = round.alerts;
      for (const { id, raised } of round.changed) {
        this.changes.push(`${this.nowMs / 1_000} ${raised ? '+' : '-'}${id}`);
      }
      this.nowMs += 1_000;
    }
    return this;
  }
}

describe('alerts', () => {
  it('are raised once a value stays beyond its limit, and cleared once it stays well inside', () => {
    const run = new Run()
      .feed({ lossWindowMs: 5_000 }, 3)
      .feed({ lossWindowMs: 1_500 }, 30) // under the limit, not under half of it
      .feed({ lossWindowMs: 100 }, 12);
    assert.deepEqual(run.changes, ['2 +loss_window', '43 -loss_window']);
  });

  it('do not flap with a value that hovers around the limit', () => {
    const run = new Run();
    for (let n = 0; n < 100; n++) run.feed({ lossWindowMs: n % 2 === 0 ? 2_100 : 1_900 });
    assert.deepEqual(run.changes, []);
    run.feed({ lossWindowMs: 3_000 }, 3);
    for (let n = 0; n < 100; n++) run.feed({ lossWindowMs: n % 2 === 0 ? 2_100 : 900 });
    assert.equal(run.changes.length, 1);
  });

  it('report drops at the first one, and go a minute after the last', () => {
    const run = new Run().feed({ droppedPerS: 0 }).feed({ droppedPerS: 0.1 }).feed({ droppedPerS: 0 }, 70);
    assert.deepEqual(run.changes, ['1 +drops', '62 -drops']);
  });

  it('mind too little as well as too much', () => {
    const run = new Run()
      .feed({ diskTimeToFullMs: Infinity }, 5)
      .feed({ diskTimeToFullMs: 1_000_000 }, 11)
      .feed({ diskTimeToFullMs: 4_000_000 }, 60) // above the limit, not well above
      .feed({ diskTimeToFullMs: Infinity }, 31);
    assert.deepEqual(run.changes, ['15 +disk_time_to_full', '106 -disk_time_to_full']);
    assert.equal(run.alerts.find(({ id }) => id === 'disk_time_to_full')?.value, undefined);
  });

  it('keep their state while a value is not known', () => {
    const run = new Run().feed({ parkedSegments: 1 }).feed({}, 100);
    assert.deepEqual(run.changes, ['0 +segment_parked']);
    assert.equal(run.alerts.find(({ id }) => id === 'segment_parked')?.value, 1);
  });

  it('cover every rule, and leave out one whose limit is 0', () => {
    assert.deepEqual(
      rules.map(({ id }) => id),
      alertIds,
    );
    const without = alertRules({ lossWindowMs: 0, diskTimeToFullMs: 0, syncStalledMs: 0, linkDownMs: 0 });
    assert.deepEqual(
      without.map(({ id }) => id),
      [
        'drops',
        'recorder_stalled',
        'sync_down',
        'quarantine',
        'segment_parked',
        'segment_unsealed',
        'segment_lost',
        'anomaly',
        'log_queue',
        'parquet_failed',
        'parquet_schema_changed',
        'topic_silent',
      ],
    );
  });

  it('change only in turns (raised, cleared, raised) for any values', () => {
    const value = fc.option(fc.constantFrom(0, 500, 1_500, 2_500, 1e9), { nil: undefined });
    fc.assert(
      fc.property(fc.array(value, { maxLength: 200 }), (values) => {
        const run = new Run();
        for (const one of values) run.feed(one === undefined ? {} : { lossWindowMs: one });
        const signs = run.changes.map((change) => change.split(' ')[1]![0]);
        assert.ok(signs.every((sign, index) => sign === (index % 2 === 0 ? '+' : '-')));
      }),
    );
  });
});

describe('the alert about silent topics', () => {
  it('is raised while a source has any, and cleared when none has for ten seconds', () => {
    const ofSource = (silentTopics?: number): AlertFacts => {
      const stats = { duplicateMessages: 0, ...(silentTopics === undefined ? {} : { silentTopics }) };
      const sources = [{ uri: 'ros:', state: 'open', stats }];
      return new AlertFactsGatherer().gather({ recorder: { ...recorderStatus(), sources } }, 0);
    };
    const run = new Run().feed(ofSource()).feed(ofSource(2), 3).feed(ofSource(0), 12);
    assert.deepEqual(run.changes, ['1 +topic_silent', '14 -topic_silent']);
  });
});

describe('the alert about the queue of the log', () => {
  const log = (queuedLines: number, queuedBytes = 0): LogStats => ({
    ...{ level: 'info', listenerRunning: true, fileBytes: 0, queuedLines, queuedBytes },
    ...{ queueMaxLines: 10_000, queueMaxBytes: 1_000, writtenLines: 0, droppedLines: 0, rotations: 0 },
  });
  const factsOf = (stats: LogStats): AlertFacts =>
    new AlertFactsGatherer().gather({ recorder: recorderStatus(), log: stats }, 0);

  it('is raised above 80 % of its lines or bytes, and cleared under 40 %', () => {
    const run = new Run();
    run
      .feed(factsOf(log(8_000)), 5)
      .feed(factsOf(log(8_001)))
      .feed(factsOf(log(5_000)), 20);
    run.feed(factsOf(log(4_000)), 20).feed(factsOf(log(1, 801)));
    assert.deepEqual(
      run.changes.map((change) => change.replace(/^\d+ /, '')),
      ['+log_queue', '-log_queue', '+log_queue'],
    );
  });

  it('has no value if no file is written', () => {
    assert.equal(factsOf({ ...log(0), queueMaxLines: 0, queueMaxBytes: 0 }).logQueuePercent, undefined);
  });
});

describe('the alerts about messages that are in no MCAP, and in no store', () => {
  const recorder = (setAside: number): RecorderStatus => {
    const status = recorderStatus();
    return { ...status, wal: { ...status.wal, setAside, setAsideError: 'segment s: heap out of memory' } };
  };
  const sync = (lost: number): SyncStatus => syncStatus({ segments: { ...syncStatus().segments, lost } });

  it('are raised as long as there is one', () => {
    const gatherer = new AlertFactsGatherer();
    const run = new Run();
    const feed = (setAside: number, lost: number): void =>
      void run.feed(gatherer.gather({ recorder: recorder(setAside), sync: sync(lost) }, 0));
    feed(1, 0);
    feed(1, 2);
    feed(0, 2);
    feed(0, 0);
    assert.deepEqual(
      run.changes.map((change) => change.replace(/^\d+ /, '')),
      ['+segment_unsealed', '+segment_lost', '-segment_unsealed', '-segment_lost'],
    );
  });

  it('are metrics and lines of the status too', () => {
    const shown = describeRecorder(recorder(2), 0).join('\n');
    assert.match(shown, /2 segments cannot be sealed.*in no MCAP.*heap out of memory/);
    assert.doesNotMatch(describeRecorder(recorder(0), 0).join('\n'), /cannot be sealed/);
    const status = { atMs: 0, recorder: recorder(2), sync: sync(3) } as Known['status'];
    const value = (name: string): number | undefined =>
      [...recorderMetrics, ...syncMetrics]
        .find((metric) => metric.name === name)
        ?.samples({ status } as Known)[0]?.value;
    assert.equal(value('holdfast_wal_set_aside_segments'), 2);
    assert.equal(value('holdfast_lost_segments'), 3);
  });
});

describe('the alert about Parquet', () => {
  const sink = (more: Partial<SinkStatus>): SyncStatus =>
    syncStatus({
      sinks: [
        {
          ...{
            name: 'lake',
            kind: 'parquet',
            store: 'dir:/lake',
            required: false,
            link: 'online',
            alarms: 0,
          },
          ...{ segments: syncStatus().segments, bytes: syncStatus().bytes },
          writes: { failures: 0, durations: { boundsMs: [], atMost: [], count: 0, sumMs: 0 } },
          ...more,
        },
      ],
    });
  const failed = (failures: number): SyncStatus =>
    sink({
      writes: { failures, durations: { boundsMs: [], atMost: [], count: 0, sumMs: 0 } },
      lastError: 'no room',
    });

  it('is raised while files cannot be made, sent or accepted, and for a minute after a failure', () => {
    const gatherer = new AlertFactsGatherer();
    const at = (sync: SyncStatus, nowMs: number): number | undefined =>
      gatherer.gather({ recorder: recorderStatus(), sync }, nowMs).failingParquetSinks;
    assert.equal(at(sink({}), 0), 0);
    assert.equal(at(failed(1), 1_000), 1);
    assert.equal(at(failed(1), 60_000), 1);
    assert.equal(at(failed(1), 61_000), 0);
    assert.equal(at(failed(2), 62_000), 1);
    assert.equal(at(sink({ link: 'offline' }), 200_000), 1);
    assert.equal(at(sink({ alarms: 1 }), 300_000), 1);
    assert.equal(at(syncStatus(), 400_000), 0);
  });

  it('names the sinks with their errors', () => {
    assert.equal(describeParquet(failed(1)), 'lake: no room');
    const alone = {
      ...syncStatus({ link: 'offline' }),
      writes: present(present(failed(1).sinks)[0]!.writes),
    };
    assert.match(describeParquet(alone), /^parquet: /);
  });
});

describe('the facts behind alerts', () => {
  const raised = (facts: AlertFacts): AlertId[] =>
    new Run()
      .feed(facts, 15)
      .alerts.filter((alert) => alert.raised)
      .map(({ id }) => id);

  it('are not raised if nothing is wrong', () => {
    const gatherer = new AlertFactsGatherer();
    let facts: AlertFacts = {};
    for (let s = 0; s < 20; s++) {
      facts = gatherer.gather({ recorder: recorderStatus(), sync: syncStatus(), quarantined: 0 }, s * 1_000);
    }
    assert.deepEqual(raised(facts), []);
  });

  it('see how fast the disk fills and messages drop', () => {
    const gatherer = new AlertFactsGatherer();
    let facts: AlertFacts = {};
    for (let s = 0; s <= 20; s++) {
      const recorder = recorderStatus({
        disk: { freeBytes: 1_000_000 - s * 1_000, totalBytes: 2_000_000, evictedSegments: 0 },
        totals: { ...recorderStatus().totals, dropped: s * 3 },
      });
      facts = gatherer.gather({ recorder }, s * 1_000);
    }
    assert.equal(Math.round(facts.diskTimeToFullMs ?? 0), 980_000);
    assert.equal(Math.round(facts.droppedPerS ?? 0), 3);
    assert.deepEqual(raised(facts), ['drops', 'disk_time_to_full']);
  });

  it('know how long the link is down, sync makes no progress, or sync is gone', () => {
    const gatherer = new AlertFactsGatherer();
    const recorder = recorderStatus();
    let facts = gatherer.gather({ recorder, sync: syncStatus() }, 0);
    facts = gatherer.gather({ recorder, sync: syncStatus() }, 700_000);
    assert.equal(facts.syncStalledMs, 700_000);
    assert.deepEqual(raised(facts), ['sync_stalled']);
    const offline = syncStatus({ link: 'offline' });
    gatherer.gather({ recorder, sync: offline }, 1_000_000);
    facts = gatherer.gather({ recorder, sync: offline }, 3_000_000);
    assert.deepEqual([facts.linkDownMs, facts.syncStalledMs], [2_000_000, 0]);
    facts = gatherer.gather({ recorder }, 3_020_000);
    assert.equal(facts.syncDownMs, 20_000);
    assert.deepEqual(raised(facts), ['sync_down']);
  });

  it('do not miss a sync that never was there', () => {
    const gatherer = new AlertFactsGatherer();
    gatherer.gather({ recorder: recorderStatus() }, 0);
    const facts = gatherer.gather({ recorder: recorderStatus() }, 1_000_000);
    assert.deepEqual(raised(facts), []);
  });
});

describe('the webhook', () => {
  const url = 'https://hooks.example/secret-path';
  const alert = present(
    new Run().feed({ quarantinedSegments: 1 }).alerts.find(({ id }) => id === 'quarantine'),
  );
  const body: WebhookBody = { source: 'holdfast', host: 'h', robots: ['robot1'], alert };

  /** A clock whose sleeps are over at once, noted. */
  function instantClock(): {
    slept: number[];
    now: () => bigint;
    monotonic: () => bigint;
    sleep: (ms: number) => Promise<void>;
  } & Timers {
    const slept: number[] = [];
    return {
      ...systemTimers,
      slept,
      now: () => 0n,
      monotonic: () => 0n,
      sleep: (ms) => {
        slept.push(ms);
        return Promise.resolve();
      },
    };
  }

  async function settled(webhook: Webhook): Promise<void> {
    while (webhook.stats().queued > 0 || webhook.stats().sent + webhook.stats().failed === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('is reported again and again, with growing pauses, until it takes it', async () => {
    const clock = instantClock();
    const posted: string[] = [];
    let failures = 3;
    await using webhook = new Webhook(url, {
      clock,
      logger: silentLogger,
      fetch: (to, init) => {
        posted.push(`${to} ${typeof init.body === 'string' ? init.body : 'no text'}`);
        if (failures-- > 0) return Promise.reject(new Error('no route'));
        return Promise.resolve({ ok: true, status: 200 });
      },
    });
    webhook.tell(body);
    await settled(webhook);
    assert.deepEqual(clock.slept, [2_000, 4_000, 8_000]);
    assert.equal(posted.length, 4);
    assert.deepEqual(JSON.parse(posted[3]!.slice(url.length + 1)), JSON.parse(JSON.stringify(body)));
    assert.equal(webhook.stats().sent, 1);
  });

  it('stops after ten attempts, counts the failure, and never shows its address', async () => {
    const lines: string[] = [];
    const note = (event: string, fields?: object): void =>
      void lines.push(`${event} ${JSON.stringify(fields)}`);
    await using webhook = new Webhook(url, {
      clock: instantClock(),
      logger: { debug: note, info: note, warn: note, error: note },
      fetch: () => Promise.reject(new Error(`cannot reach ${url}`)),
    });
    webhook.tell(body);
    await settled(webhook);
    assert.equal(webhook.stats().failed, 1);
    const said = lines.join('\n') + JSON.stringify(webhook.stats());
    assert.match(said, /cannot send an alert/);
    assert.ok(!said.includes('secret-path'), said);
  });

  it('never holds more than its bound, and never blocks its caller', async () => {
    let hang = (): void => {};
    const webhook = new Webhook(url, {
      clock: instantClock(),
      logger: silentLogger,
      fetch: (_, { signal }) =>
        new Promise((resolve, reject) => {
          hang = () => resolve({ ok: true, status: 200 });
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    });
    for (let n = 0; n < 1_000; n++) webhook.tell(body);
    assert.deepEqual([webhook.stats().queued, webhook.stats().dropped], [100, 899]);
    hang();
    await webhook[Symbol.asyncDispose]();
    webhook.tell(body);
    assert.ok(webhook.stats().queued <= 100);
  });
});
