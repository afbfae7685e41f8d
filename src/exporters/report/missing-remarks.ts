import { requestedReasons } from '../../core/gap.js';
import { present } from '../../core/present.js';
import { problemRemarks, times, worstFirst, type Remark } from './remark.js';
import type { ReportData, TopicFacts } from './report-data.js';
import { counted, duration, listed, percentText, reasonText } from './words.js';

/** A topic below this share of its expected messages gets a remark. */
const LOW_SHARE = 0.9;

/** What rules left out, and what was deleted, on request. */
export function requestedRemarks({ gaps }: ReportData): Remark[] {
  return gaps.totals
    .filter(({ reason }) => requestedReasons.has(reason))
    .map(({ reason, messages }) => ({
      ...{ tone: 'quiet', section: 'losses' },
      text: `${counted(messages, 'message')} ${reasonText(reason)}; this is no loss.`,
    }));
}

/** Missing messages, as far as they are known. */
export function missingRemarks(data: ReportData): Remark[] {
  const { gaps, storage } = data;
  const lost = gaps.totals.filter(({ reason }) => !requestedReasons.has(reason));
  const remarks: Remark[] = lost.map(({ reason, messages, unknown, gaps: count }) => ({
    // It is unknown whether there was a message to receive.
    tone: reason === 'not_received' ? 'warn' : 'bad',
    section: 'losses',
    text: `${messages > 0 || unknown === 0 ? counted(messages, 'message') : `Some messages (${times(count)}, number not known)`} ${reasonText(reason)}.`,
  }));
  for (const { state, segments, messages, bytes } of storage.totals) {
    if (state === 'evicted') {
      remarks.push({
        tone: 'bad',
        section: 'storage',
        text: `${counted(messages, 'message')} in ${counted(segments, 'segment')} deleted by policy before their upload.`,
      });
    }
    if (state === 'deleted') {
      remarks.push({
        tone: 'quiet',
        section: 'storage',
        text: `${counted(messages, 'message')} in ${counted(segments, 'segment')} deleted on request; this is no loss.`,
      });
    }
    if (state === 'quarantined') {
      remarks.push({
        tone: 'bad',
        section: 'storage',
        text: `${counted(segments, 'damaged segment')} set aside; what could be saved of them is sealed.`,
      });
    }
    if ((state === 'open' || state === 'waiting') && bytes > 0) {
      remarks.push({
        tone: 'warn',
        section: 'storage',
        text: `${counted(segments, 'segment')} not sealed yet: not part of this report.`,
      });
    }
  }
  // A topic of which messages are left out or deleted has neither its rate nor its usual pauses.
  const thinned = new Set(
    gaps.list.filter(({ reason }) => requestedReasons.has(reason)).map(({ topic }) => topic),
  );
  const usual = data.topics.filter(({ topic }) => !thinned.has(topic));
  remarks.push(...problemRemarks(data), ...silenceRemarks(usual), ...rateRemarks(data, usual));
  return worstFirst(remarks);
}

function silenceRemarks(topics: readonly TopicFacts[]): Remark[] {
  const silent = topics.filter(({ silences }) => silences.some(({ kind }) => kind === 'silence'));
  const late = topics.filter(({ silences }) => silences.some(({ kind }) => kind === 'late start'));
  const early = topics.filter(({ silences }) => silences.some(({ kind }) => kind === 'early end'));
  const remark = (some: readonly TopicFacts[], what: string, ofAll: string): Remark[] => {
    if (some.length === 0) return [];
    const longest = some
      .flatMap(({ silences }) => silences)
      .reduce((a, b) => (b.toS - b.fromS > a.toS - a.fromS ? b : a));
    const length = duration(longest.toS - longest.fromS);
    const who =
      some.length === topics.length && topics.length > 3
        ? 'Every topic'
        : some.length > 3
          ? `${some.length} topics`
          : listed(some.map(({ topic }) => topic));
    return [
      {
        tone: 'warn',
        section: 'losses',
        text: `${who} ${some.length === 1 || who === 'Every topic' ? what : ofAll}, ${length} at most.`,
      },
    ];
  };
  return [
    ...remark(silent, 'fell silent', 'fell silent'),
    ...remark(late, 'began late', 'began late'),
    ...remark(early, 'ended early', 'ended early'),
  ];
}

/** A low rate without silences. */
function rateRemarks({ range }: ReportData, topics: readonly TopicFacts[]): Remark[] {
  if (range === undefined) return [];
  const lengthS = Number(range.endNs - range.startNs) / 1e9;
  const slow = topics.filter(({ expected, messages, silences }) => {
    if (expected === undefined || silences.length > 0) return false;
    return messages < LOW_SHARE * expected.hz * lengthS - 1;
  });
  if (slow.length === 0) return [];
  const [first] = slow;
  const share = percentText(present(first).messages / (present(present(first).expected).hz * lengthS));
  const text =
    slow.length === 1
      ? `${present(first).topic} came with ${share} of its rate.`
      : `${counted(slow.length, 'topic')} came with less than 90 % of their rate.`;
  return [{ tone: 'warn', section: 'timeline', text }];
}
