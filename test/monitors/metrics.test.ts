import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { present } from '../../src/core/present.js';
import { alertIds } from '../../src/monitors/alerts/alert-rules.js';
import { allMetrics } from '../../src/monitors/metrics/prometheus.js';
import { OTHERS, TopTopics } from '../../src/monitors/metrics/top-topics.js';
import { noParserBecause, parseWithPrometheus } from '../support/prometheus-client.js';
import { packageRoot } from '../../src/host/version.js';
import { recorderStatus, topicStats } from './fake-recorder.js';
import { parseExposition, type Family } from './prometheus-text.js';
import { TestWeb } from './web-server.js';
import { lacking } from '../../src/testing/lacking.js';

const read = (name: string): string => readFileSync(join(packageRoot, name), 'utf8');

/** Metric names in an expression, without the suffixes of histograms. */
function namesIn(expression: string): string[] {
  const plain = expression.replace(/"[^"]*"/g, '""');
  return [...plain.matchAll(/\b((?:holdfast|process)_[a-z0-9_]+)/g)].map(([, name]) =>
    present(name).replace(/_(bucket|sum|count)$/, ''),
  );
}

/** Metrics that no rule and no panel uses: another one says the same, or they explain one. docs/metrics.md has them. */
const withoutPanel: readonly string[] = [
  'holdfast_disk_size_bytes',
  'holdfast_durable_messages_total',
  'holdfast_forecast_day_objects',
  'holdfast_forecast_day_requests',
  'holdfast_foxglove_skipped_messages_total',
  'holdfast_encryption_recipients',
  'holdfast_held_segments',
  'holdfast_loss_window_max_seconds',
  'holdfast_loss_window_messages',
  'holdfast_pending_segments',
  'holdfast_queue_bytes',
  'holdfast_queue_limit_bytes',
  'holdfast_robot_dropped_messages_total',
  'holdfast_seal_recipients',
  'holdfast_sealed_segments',
  'holdfast_send_waiting_segments',
  'holdfast_source_acknowledge_duration_seconds',
  'holdfast_source_acknowledged_messages_total',
  'holdfast_source_connections_total',
  'holdfast_source_duplicate_messages_total',
  'holdfast_source_receive_latency_seconds',
  'holdfast_topic_dropped_messages_total',
  'holdfast_topic_received_messages_total',
  'holdfast_transfer_bytes_per_second',
  'holdfast_uploaded_segments_total',
  'holdfast_wal_encrypted',
  'holdfast_wal_waiting_segments',
  'holdfast_web_refused_requests_total',
  'process_start_time_seconds',
];

interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

function overlap(a: Place, b: Place): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

describe('/metrics', () => {
  let web: TestWeb;
  let families: Map<string, Family>;
  const value = (name: string, labels: Record<string, string> = {}): number | undefined =>
    families
      .get(name.replace(/_(bucket|sum|count)$/, ''))
      ?.samples.find(
        (sample) =>
          sample.name === name &&
          Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
      )?.value;
  const scrape = async (): Promise<void> => {
    const { text, headers } = await web.get('/metrics');
    assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
    families = parseExposition(text);
  };

  beforeEach(async () => {
    web = await TestWeb.start();
    await scrape();
  });
  afterEach(() => web[Symbol.asyncDispose]());

  it('parses as Prometheus reads it, every metric with help, type and the right suffix', () => {
    assert.ok(families.size > 40);
    for (const { name, type, help } of families.values()) {
      assert.notEqual(help, '', name);
      assert.equal(type === 'counter', name.endsWith('_total'), name);
      assert.ok(!/_(ms|mb|percent)(_|$)/.test(name), `${name}: base units are seconds, bytes, ratios`);
    }
  });

  it('tells for each sink what its send policy says, and nothing without one', async () => {
    assert.equal(value('holdfast_send_open'), undefined);
    const { current } = web.sync;
    const condition = { alternative: 0, state: 'unknown', reason: 'no D-Bus' } as const;
    web.sync.current = {
      ...present(current),
      sendPolicy: {
        ...{ isOpen: false, since: '0', passing: [], day: '2026-12-01', spentBytes: 7, budgetBytes: 9 },
        conditions: [{ condition: 'ssid=Depot', ...condition }],
        waiting: { segments: 2, bytes: 20, objects: 4, requests: 18 },
      },
      forecast: [{ robot: 'car-1', bytesPerDay: 5, objectsPerDay: 6, requestsPerDay: 7 }],
    };
    await web.watch.askSync();
    await scrape();
    const sink = 'store';
    assert.equal(value('holdfast_send_open', { sink }), 0);
    assert.equal(value('holdfast_send_waiting_bytes', { sink }), 20);
    assert.equal(value('holdfast_send_waiting_segments', { sink }), 2);
    assert.deepEqual([value('holdfast_send_day_bytes'), value('holdfast_send_budget_bytes')], [7, 9]);
    const states = ['met', 'unmet', 'unknown'].map((state) =>
      value('holdfast_send_condition_state', { sink, condition: 'ssid=Depot', state }),
    );
    assert.deepEqual(states, [0, 0, 1]);
    const forecast = ['bytes', 'objects', 'requests'].map((of) =>
      value(`holdfast_forecast_day_${of}`, { robot: 'car-1' }),
    );
    assert.deepEqual(forecast, [5, 6, 7]);
  });

  it('tells whether what is not sealed yet is encrypted, and with which key', async () => {
    assert.equal(value('holdfast_wal_encrypted'), 0);
    const key = 'key:0123456789abcdef';
    web.recorder.current = recorderStatus({ atRestKeyName: key });
    await scrape();
    assert.deepEqual(families.get('holdfast_wal_encrypted')?.samples, [
      { name: 'holdfast_wal_encrypted', labels: { key }, value: 1 },
    ]);
  });

  it("reads the same with Prometheus' own parser", async function () {
    const reason = noParserBecause();
    if (reason !== undefined) return lacking(this, 'prometheus-client', reason);
    const topic = '/we"ird\\\n{name}';
    web.recorder.topicList = [topicStats(topic, { received: 42 })];
    const parsed = parseWithPrometheus((await web.get('/metrics')).text);
    await scrape();
    const ours = [...families.values()].flatMap(({ samples }) =>
      samples
        .filter(({ name }) => !name.startsWith('process_'))
        .map((one) => [one.name, one.labels, one.value]),
    );
    const theirs = parsed.flatMap(({ samples }) => samples.filter(([name]) => !name.startsWith('process_')));
    assert.deepEqual(theirs, ours);
    assert.ok(theirs.some(([, labels, value]) => labels['topic'] === topic && value === 42));
  });

  it('match the status of the recorder and of sync', () => {
    assert.equal(value('holdfast_received_messages_total', { robot: 'robot1' }), 10);
    assert.equal(value('holdfast_durable_messages_total', { robot: 'robot1' }), 8);
    assert.equal(value('holdfast_dropped_messages_total', { reason: 'memory_limit' }), 1);
    assert.equal(value('holdfast_loss_window_seconds'), 0.012);
    assert.equal(value('holdfast_queue_fill_ratio'), 0.1);
    assert.equal(value('holdfast_recorder_state', { state: 'recording' }), 1);
    assert.equal(value('holdfast_recorder_state', { state: 'stalled' }), 0);
    assert.equal(value('holdfast_commit_duration_seconds_bucket', { le: '0.001' }), 1);
    assert.equal(value('holdfast_commit_duration_seconds_bucket', { le: '+Inf' }), 4);
    assert.equal(value('holdfast_commit_duration_seconds_sum'), 0.012);
    assert.equal(value('holdfast_upload_duration_seconds_count'), 1);
    assert.equal(value('holdfast_uploaded_bytes_total'), 100);
    assert.equal(value('holdfast_link_state', { state: 'online' }), 1);
    assert.equal(value('holdfast_topic_received_messages_total', { topic: '/a' }), 1);
  });

  it('have the savings of the uplink, of all robots together, and nothing without an uplink', async () => {
    assert.deepEqual(families.get('holdfast_uplink_bytes_total')?.samples ?? [], []);
    const robot = { telemetryBytes: 10, fullBytes: 200, jsonBytes: 600 };
    web.watch.services.set('uplink', () => ({ robots: [robot, robot] }));
    await scrape();
    const of = (form: string): number | undefined => value('holdfast_uplink_bytes_total', { form });
    assert.deepEqual(['sent', 'protobuf', 'json'].map(of), [20, 400, 1_200]);
  });

  it('report that sync is gone, and nothing else about it', async () => {
    web.sync.current = undefined;
    await web.watch.askSync();
    await scrape();
    assert.equal(value('holdfast_sync_up'), 0);
    assert.equal(value('holdfast_pending_bytes'), undefined);
  });

  it('survives hostile names', async () => {
    const topic = '/we"ird\\\n{name}';
    web.recorder.topicList = [topicStats(topic, { received: 42 })];
    await scrape();
    assert.equal(value('holdfast_topic_received_messages_total', { topic }), 42);
  });

  it('has bounded label sets, for any number of topics and robots', async () => {
    web.recorder.topicList = Array.from({ length: 3_000 }, (_, n) => topicStats(`/t${n}`));
    web.recorder.current = recorderStatus({
      robots: Array.from({ length: 500 }, (_, n) => ({ ...recorderStatus().robots[0]!, robot: `r${n}` })),
    });
    await scrape();
    for (const { name, samples } of families.values()) assert.ok(samples.length <= 101, name);
    assert.equal(value('holdfast_received_messages_total', { robot: OTHERS }), 400 * 10);
  });

  it('has every metric that is documented, and documents every metric it has', () => {
    const documented = [...read('docs/metrics.md').matchAll(/^\| `([a-z_]+)`/gm)].map(([, name]) =>
      present(name),
    );
    assert.deepEqual(documented.toSorted(), allMetrics.map(({ name }) => name).toSorted());
  });
});

describe('places for topics in metrics', () => {
  const topics = (...bytes: number[]): ReturnType<typeof topicStats>[] =>
    bytes.map((receivedBytes, n) => topicStats(`/t${n}`, { receivedBytes }));

  it('go to the topics with the most bytes, are kept, and the rest is one sum', () => {
    const top = new TopTopics(2);
    const names = (list: ReturnType<TopTopics['pick']>): string[] => list.map(({ topic }) => topic);
    assert.deepEqual(names(top.pick(topics(1, 50, 3, 40))), ['/t1', '/t3', OTHERS]);
    const later = top.pick(topics(1_000, 50, 2_000, 40));
    assert.deepEqual(names(later), ['/t1', '/t3', OTHERS]);
    assert.equal(present(later.at(-1)).receivedBytes, 3_000);
  });

  it('never let a series decrease, for any growth of the topics', () => {
    const top = new TopTopics(3);
    const seen = new Map<string, number>();
    for (let round = 1; round <= 20; round++) {
      const list = topics(...Array.from({ length: round }, (_, n) => ((n * 7 * round) % 50) + round * 100));
      for (const { topic, receivedBytes } of top.pick(list)) {
        assert.ok(receivedBytes >= (seen.get(topic) ?? 0), `${topic} in round ${round}`);
        seen.set(topic, receivedBytes);
      }
    }
  });
});

describe('config/monitoring', () => {
  const known = new Set(allMetrics.map(({ name }) => name));

  interface RuleFile {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly alert: string;
        readonly expr: string;
        readonly annotations: Record<string, string>;
      }[];
    }[];
  }

  const expressionsOfDashboard = (): { readonly title: string; readonly expr: string }[] => {
    const { panels } = JSON.parse(read('config/monitoring/grafana-dashboard.json')) as {
      readonly panels: readonly {
        readonly title: string;
        readonly targets?: readonly { readonly expr: string }[];
      }[];
    };
    return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
  };

  it('has alert rules that name only metrics there are, each with a summary', () => {
    const { groups } = parse(read('config/monitoring/alert-rules.yaml')) as RuleFile;
    const rules = groups.flatMap((group) => group.rules);
    assert.ok(rules.length >= 8);
    for (const { alert, expr, annotations } of rules) {
      const names = namesIn(expr);
      assert.ok(names.length > 0 || /\bup\b/.test(expr), alert);
      for (const name of names) assert.ok(known.has(name), `${alert}: ${name}`);
      assert.ok(annotations['summary'], alert);
    }
  });

  it('has a Grafana dashboard that names only metrics there are', () => {
    const expressions = expressionsOfDashboard();
    assert.ok(expressions.length >= 15);
    for (const { title, expr } of expressions) {
      const names = namesIn(expr);
      assert.ok(names.length > 0, title);
      for (const name of names) assert.ok(known.has(name), `${title}: ${name}`);
    }
  });

  it('has a rule for every metric of a loss or of a problem that needs a person', () => {
    const { groups } = parse(read('config/monitoring/alert-rules.yaml')) as RuleFile;
    const ruled = new Set(groups.flatMap(({ rules }) => rules.flatMap(({ expr }) => namesIn(expr))));
    for (const name of [
      'holdfast_dropped_messages_total',
      'holdfast_commit_failures_total',
      'holdfast_quarantined_segments',
      'holdfast_wal_set_aside_segments',
      'holdfast_lost_segments',
      'holdfast_parked_segments',
      'holdfast_source_silent_topics',
      'holdfast_source_dead_letters_total',
      'holdfast_source_dead_letter_failures_total',
      'holdfast_parquet_write_failures_total',
      'holdfast_parquet_undecoded_total',
      'holdfast_parquet_schema_changes_total',
      'holdfast_log_dropped_lines_total',
    ]) {
      assert.ok(known.has(name), `${name} is no metric`);
      assert.ok(ruled.has(name), `${name} has no rule`);
    }
  });

  it('uses every metric in a rule or a panel, except those that only repeat another one', () => {
    const { groups } = parse(read('config/monitoring/alert-rules.yaml')) as RuleFile;
    const rules = groups.flatMap((group) => group.rules.map(({ expr }) => expr));
    const panels = expressionsOfDashboard().map(({ expr }) => expr);
    const labels = read('config/monitoring/grafana-dashboard.json').match(/label_values\(\w+/)?.[0] ?? '';
    const used = new Set([...rules, ...panels, labels].flatMap(namesIn));
    const unused = [...known].filter((name) => !used.has(name)).sort();
    assert.deepEqual(unused, [...withoutPanel].sort());
  });

  it('places the panels of the dashboard without an overlap, each under its own number', () => {
    const { panels } = JSON.parse(read('config/monitoring/grafana-dashboard.json')) as {
      readonly panels: readonly { readonly id: number; readonly title: string; readonly gridPos: Place }[];
    };
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const [index, { title, gridPos }] of panels.entries()) {
      for (const other of panels.slice(index + 1)) {
        assert.ok(!overlap(gridPos, other.gridPos), `${title} lies on ${other.title}`);
      }
    }
  });

  it('asks for states, alerts and labels there are', () => {
    const text =
      read('config/monitoring/alert-rules.yaml') + read('config/monitoring/grafana-dashboard.json');
    for (const [, id] of text.matchAll(/alert=~?\\?"([a-z_]+)\\?"/g))
      assert.ok(
        alertIds.some((one) => one === id),
        id,
      );
    for (const [, state] of text.matchAll(/state=~?\\?"([a-z_]+)\\?"/g)) {
      assert.ok(
        ['recording', 'stalled', 'paused', 'online', 'offline', 'met'].includes(present(state)),
        state,
      );
    }
  });
});
