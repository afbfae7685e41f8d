import assert from 'node:assert/strict';
import type { GapFacts, ReportData } from '../../../src/exporters/report/report-data.js';
import type { Tone } from '../../../src/exporters/report/remark.js';
import { answers } from '../../../src/exporters/report/verdict.js';

/** A recording of ten messages with these gaps, and no other fact. */
function recordingWith(...totals: GapFacts['totals'][number][]): ReportData {
  return {
    title: 'A drive',
    createdUtc: '2026-11-21T08:15:30Z',
    version: '0',
    source: 'rec',
    sourceKind: 'data',
    chosen: [],
    range: { startNs: 0n, endNs: 10_000_000_000n },
    robots: ['robot1'],
    messages: 10,
    payloadBytes: 100,
    topics: [],
    gaps: { totals, list: [], omitted: 0 },
    plots: [],
    plotsOmitted: 0,
    tracks: [],
    battery: [],
    diagnostics: { lanes: [], omitted: 0 },
    events: [],
    storage: { segments: [], omitted: 0, totals: [], payloadBytes: 100, fileBytes: 90 },
    sessions: [],
    clockSteps: [],
    tags: [],
    problems: [],
    problemsOmitted: 0,
  };
}

const notReceived = { reason: 'not_received', gaps: 2, messages: 0, unknown: 2 };
const tones = (data: ReportData): Tone[] => answers(data).map(({ tone }) => tone);

describe('the answers of a report', () => {
  it('are good without a gap', () => {
    assert.deepEqual(tones(recordingWith()), ['ok', 'ok', 'ok']);
  });

  it('warn of topics without messages, and do not call that a loss, because nobody knows whether messages were sent', () => {
    const [whole, missing] = answers(recordingWith(notReceived));
    assert.equal(whole.tone, 'ok');
    assert.equal(missing.tone, 'warn');
    assert.equal(missing.headline, 'No counted loss, but see below');
    assert.deepEqual(missing.remarks, [
      {
        tone: 'warn',
        section: 'losses',
        text: 'Some messages (2 times, number not known) not received: nothing came although a publisher was there.',
      },
    ]);
  });

  it('call every other gap a loss, also beside topics that brought nothing', () => {
    const dropped = { reason: 'queue_full_drop_oldest', gaps: 1, messages: 40, unknown: 0 };
    const [whole, missing] = answers(recordingWith(notReceived, dropped));
    assert.deepEqual([whole.tone, whole.headline], ['bad', 'Not whole']);
    assert.deepEqual([missing.tone, missing.headline], ['bad', '40 messages']);
    assert.deepEqual(
      missing.remarks.map(({ tone }) => tone),
      ['bad', 'warn'],
      'the worst comes first',
    );
  });
});
