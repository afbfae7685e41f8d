import assert from 'node:assert/strict';
import { alertDiagnostic } from '../../../src/app/ros/alert-diagnostics.js';
import type { Alert } from '../../../src/monitors/alerts/evaluate-alerts.js';

const alert = (changes: Partial<Alert>): Alert => ({
  id: 'drops',
  severity: 'warning',
  raised: false,
  limit: 0,
  unit: 'messages/s',
  summary: 'messages are dropped',
  ...changes,
});

describe('alerts in /diagnostics', () => {
  it('are fine while none is raised', () => {
    const { level, message, values } = alertDiagnostic([alert({})], 'robot1');
    assert.deepEqual([level, message, values], [0, 'none', {}]);
  });

  it('are as bad as the worst one raised, and name each', () => {
    const drops = alert({ raised: true, value: 3 });
    assert.equal(alertDiagnostic([drops], 'r').level, 1);
    const stalled = alert({
      id: 'recorder_stalled',
      severity: 'critical',
      raised: true,
      unit: 'yes/no',
      summary: 'the recorder cannot commit',
    });
    const both = alertDiagnostic([drops, stalled, alert({ id: 'quarantine' })], 'r');
    assert.equal(both.level, 2);
    assert.equal(both.message, 'messages are dropped; the recorder cannot commit');
    assert.deepEqual(both.values, {
      drops: '3 messages/s, limit 0',
      recorder_stalled: 'unknown yes/no, limit 0',
    });
  });
});
