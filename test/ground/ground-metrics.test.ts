import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  renderGroundMetrics,
  renderHistoryMetrics,
  renderHoleMetrics,
} from '../../src/ground/ground-metrics.js';
import { packageRoot } from '../../src/host/version.js';

const history = { stored: 12, repeated: 3, refused: 2, dropped: 1, waiting: 7, problem: '' };
const holes = { open: 2, filled: 5, lost: 1, values: 480 };
const namesIn = (text: string): Set<string> => new Set(text.match(/holdfast_ground_\w+/g));

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

  it('are all in the Grafana dashboard and in the documentation, which name no others', () => {
    const known = namesIn(renderGroundMetrics([]) + renderHistoryMetrics(history) + renderHoleMetrics(holes));
    known.add('holdfast_ground_refused_total');
    const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8');
    const dashboard = namesIn(read('config/monitoring/grafana-ground.json'));
    assert.deepEqual([...dashboard].sort(), [...known].sort());
    const documented = read('docs/ground.md');
    // Two of them are named after the others of their line.
    const short = ['holdfast_ground_received_bytes_total', 'holdfast_ground_unusable_messages_total'];
    for (const name of known) assert.ok(documented.includes(name) || short.includes(name), name);
  });
});
