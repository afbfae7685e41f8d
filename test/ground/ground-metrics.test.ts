import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  renderGroundMetrics,
  renderHistoryMetrics,
  renderHoleMetrics,
} from '../../src/ground/ground-metrics.js';
import { RobotState } from '../../src/ground/robot-state.js';
import { packageRoot } from '../../src/host/version.js';
import { lacking } from '../../src/testing/lacking.js';
import { faultsOfRules, noPromtoolBecause } from '../support/promtool.js';

const history = { stored: 12, repeated: 3, refused: 2, dropped: 1, waiting: 7, problem: '' };
const holes = { open: 2, filled: 5, lost: 1, values: 480 };
const namesIn = (text: string): Set<string> => new Set(text.match(/holdfast_ground_\w+/g));

interface RuleFile {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly annotations: Readonly<Record<string, string>>;
    }[];
  }[];
}

const RULES = 'config/monitoring/ground-alert-rules.yaml';

/** Every metric of a ground. */
function metricNames(): Set<string> {
  const text = renderGroundMetrics([]) + renderHistoryMetrics(history) + renderHoleMetrics(holes);
  return namesIn(`${text} holdfast_ground_refused_total`);
}

describe('the metrics of the ground', () => {
  it('have what the history did, and whether it can be stored', () => {
    const text = renderHistoryMetrics(history);
    assert.match(text, /^holdfast_ground_history_stored_total 12$/m);
    assert.match(text, /^holdfast_ground_history_waiting 7$/m);
    assert.match(text, /^holdfast_ground_history_writable 1$/m);
    const broken = renderHistoryMetrics({ ...history, problem: 'no disk' });
    assert.match(broken, /^holdfast_ground_history_writable 0$/m);
  });

  it('have the holes of the history, by state, and what was filled in', () => {
    const text = renderHoleMetrics(holes);
    assert.match(text, /^holdfast_ground_holes\{state="open"\} 2$/m);
    assert.match(text, /^holdfast_ground_holes\{state="filled"\} 5$/m);
    assert.match(text, /^holdfast_ground_holes\{state="lost"\} 1$/m);
    assert.match(text, /^holdfast_ground_hole_values 480$/m);
  });

  it('name the vehicle and the version, also with characters that need an escape', () => {
    const robot = new RobotState('robot_7');
    Object.assign(robot, { vin: 'a\\b"c\nd', version: '0.2.0' });
    const text = renderGroundMetrics([robot.view()]);
    assert.match(
      text,
      /^holdfast_ground_robot_info\{robot="robot_7",vin="a\\\\b\\"c\\nd",version="0\.2\.0"\} 1$/m,
    );
  });

  it('have what a robot reports, and nothing about what it does not report', () => {
    const robot = new RobotState('robot_7');
    const figures = { pendingBytes: 5e9, oldestUnsyncedAt: '1700000000500000000', dropped: 0 };
    const report = { ...{ epoch: 1, sequence: 1, complete: true, figures }, unknown: [] };
    // The clock of the robot is five hours ahead.
    const heardNs = 1_700_000_100_000_000_000n;
    const timeNs = heardNs + 18_000_000_000_000n;
    robot.reported.apply({ ...report, timeNs, segments: [], events: [] }, heardNs);
    const text = renderGroundMetrics([robot.view()]);
    assert.match(text, /^holdfast_ground_robot_pending_bytes\{robot="robot_7"\} 5000000000$/m);
    assert.match(
      text,
      /^holdfast_ground_robot_oldest_unsynced_timestamp_seconds\{robot="robot_7"\} 1699982000.5$/m,
    );
    assert.match(text, /^holdfast_ground_robot_dropped_messages\{robot="robot_7"\} 0$/m);
    assert.doesNotMatch(text, /^holdfast_ground_robot_(disk_time_to_full_seconds|lost_segments)\{/m);
  });

  it('have alert rules that name no others, each with a summary', () => {
    const { groups } = parse(readFileSync(join(packageRoot, RULES), 'utf8')) as RuleFile;
    const rules = groups.flatMap((group) => group.rules);
    assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
    const ruled = namesIn(rules.map(({ expr }) => expr).join());
    const known = metricNames();
    for (const name of ruled) assert.ok(known.has(name), name);
    for (const { alert, expr, annotations } of rules) {
      assert.ok(namesIn(expr).size > 0 || /\bup\b/.test(expr), alert);
      assert.ok(annotations['summary'], alert);
    }
    for (const what of ['robot_connected', 'robot_oldest_unsynced_timestamp_seconds', 'robot_lost_segments'])
      assert.ok(ruled.has(`holdfast_ground_${what}`), `${what} has no rule`);
  });

  it('have alert rules that Prometheus reads, as those of the recorder', function () {
    const reason = noPromtoolBecause();
    if (reason !== undefined) return lacking(this, 'promtool', reason);
    for (const file of [RULES, 'config/monitoring/alert-rules.yaml'])
      assert.equal(faultsOfRules(join(packageRoot, file)), '', file);
  });

  it('are all in the Grafana dashboard and in the documentation, which name no others', () => {
    const known = metricNames();
    const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8');
    const dashboard = namesIn(read('config/monitoring/grafana-ground.json'));
    assert.deepEqual([...dashboard].sort(), [...known].sort());
    const documented = read('docs/ground.md');
    // Two of them are named after the others of their line.
    const short = ['holdfast_ground_received_bytes_total', 'holdfast_ground_unusable_messages_total'];
    for (const name of known) assert.ok(documented.includes(name) || short.includes(name), name);
  });
});
