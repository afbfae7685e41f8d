import { humanCount } from '../../core/human-numbers.js';
import type { ReportData, TopicFacts } from './report-data.js';
import { counted, duration, latencyText, listed, percentText, reasonText } from './words.js';

export type Tone = 'ok' | 'warn' | 'bad' | 'quiet';

/** A sentence, and the section that has more. */
export interface Remark {
  readonly tone: Tone;
  readonly text: string;
  readonly section: string;
}

/** One of the three questions the first screen answers. */
export interface Answer {
  readonly question: string;
  readonly tone: Tone;
  readonly headline: string;
  readonly remarks: readonly Remark[];
}

/** A battery below this is said, percent. */
const LOW_CHARGE = 20;
/** A median latency above this is said, milliseconds. */
const HIGH_LATENCY_MS = 1_000;
/** Below zero by more than this is no rounding, milliseconds. */
const AHEAD_MS = -1;
/** A topic below this share of what was expected is said. */
const LOW_SHARE = 0.9;
const ranks: Readonly<Record<Tone, number>> = { quiet: 0, ok: 1, warn: 2, bad: 3 };

/** Is it whole, what is missing, what went wrong: in words. */
export function answers(data: ReportData): readonly [Answer, Answer, Answer] {
  if (data.messages === 0) return nothing(data);
  const missing = missingRemarks(data);
  const wrong = wrongRemarks(data);
  return [whole(data, missing), missingAnswer(data, missing), wrongAnswer(wrong)];
}

function nothing(data: ReportData): readonly [Answer, Answer, Answer] {
  const unreadable = problemRemarks(data);
  const missing = missingRemarks(data);
  return [
    {
      question: 'Is it whole?',
      tone: unreadable.length + missing.length > 0 ? 'bad' : 'quiet',
      headline: 'There is no message',
      remarks: [
        {
          tone: 'quiet',
          section: 'storage',
          text:
            data.chosen.length > 0
              ? 'Nothing fits what was chosen.'
              : 'Nothing was recorded, or nothing of it is here.',
        },
      ],
    },
    missingAnswer(data, missing),
    wrongAnswer(unreadable),
  ];
}

function whole(data: ReportData, missing: readonly Remark[]): Answer {
  const { messages, topics, sourceKind, range } = data;
  const robots = robotCount(data);
  const lost = missing.filter(({ tone }) => tone === 'bad');
  const length = range === undefined ? '' : ` in ${duration(Number(range.endNs - range.startNs) / 1e9)}`;
  const size: Remark = {
    tone: 'quiet',
    section: 'timeline',
    text: `${counted(messages, 'message')} of ${counted(topics.length, 'topic')}${robots > 1 ? ` and ${counted(robots, 'robot')}` : ''}${length}.`,
  };
  if (lost.length > 0) {
    return {
      question: 'Is it whole?',
      tone: 'bad',
      headline: 'Not whole',
      remarks: [
        size,
        {
          tone: 'quiet',
          section: 'losses',
          text:
            data.problems.length > 0
              ? 'Everything else that could be read is in this report.'
              : 'Everything else is here and readable.',
        },
      ],
    };
  }
  if (sourceKind === 'mcap' && !isHoldfasts(data)) {
    const text = 'The files were read to their ends. Their recorder does not count what it loses.';
    return {
      question: 'Is it whole?',
      tone: 'ok',
      headline: 'Whole as far as can be seen',
      remarks: [size, { tone: 'quiet', section: 'losses', text }],
    };
  }
  const open = data.storage.totals.filter(({ state }) => state === 'open' || state === 'waiting');
  if (open.length > 0) {
    return {
      question: 'Is it whole?',
      tone: 'warn',
      headline: 'Whole up to the last sealed segment',
      remarks: [size],
    };
  }
  return {
    question: 'Is it whole?',
    tone: 'ok',
    headline: 'Whole',
    remarks: [
      size,
      { tone: 'quiet', section: 'losses', text: 'Every loss would have been counted; there is none.' },
    ],
  };
}

/** Those that said something; where recordings do not say the robot, other names look like one. */
export function robotCount({ topics }: ReportData): number {
  return new Set(
    topics.filter(({ robot, messages }) => robot !== '' && messages > 0).map(({ robot }) => robot),
  ).size;
}

/** Segments of Holdfast carry a session. */
function isHoldfasts({ sessions }: ReportData): boolean {
  return sessions.length > 0 && sessions.every(({ session }) => session !== '');
}

function missingAnswer(data: ReportData, remarks: readonly Remark[]): Answer {
  const known = data.gaps.totals.reduce((sum, { messages }) => sum + messages, 0) + evictedMessages(data);
  const lost = remarks.some(({ tone }) => tone === 'bad');
  const silent = remarks.length > 0;
  return {
    question: 'What is missing?',
    tone: lost ? 'bad' : silent ? 'warn' : 'ok',
    headline: lost
      ? known > 0
        ? counted(known, 'message')
        : 'Messages, how many is not known'
      : silent
        ? 'No counted loss, but see below'
        : 'Nothing that is known',
    remarks,
  };
}

function evictedMessages({ storage }: ReportData): number {
  return storage.totals.find(({ state }) => state === 'evicted')?.messages ?? 0;
}

function missingRemarks(data: ReportData): Remark[] {
  const { gaps, storage } = data;
  const remarks: Remark[] = gaps.totals.map(({ reason, messages, unknown, gaps: count }) => ({
    tone: 'bad',
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
  remarks.push(...problemRemarks(data), ...silenceRemarks(data.topics), ...rateRemarks(data));
  return remarks.sort((a, b) => ranks[b.tone] - ranks[a.tone]);
}

function problemRemarks({ problems, problemsOmitted }: ReportData): Remark[] {
  const count = problems.length + problemsOmitted;
  if (count === 0) return [];
  const text =
    count === 1
      ? `${problems[0]!.where.split('/').at(-1)}: ${problems[0]!.reason}`
      : `${humanCount(count)} things could not be read.`;
  return [{ tone: 'bad', section: 'losses', text: text.length > 200 ? `${text.slice(0, 200)}…` : text }];
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

/** Slow without being silent. */
function rateRemarks({ topics, range }: ReportData): Remark[] {
  if (range === undefined) return [];
  const lengthS = Number(range.endNs - range.startNs) / 1e9;
  const slow = topics.filter(({ expected, messages, silences }) => {
    if (expected === undefined || silences.length > 0) return false;
    return messages < LOW_SHARE * expected.hz * lengthS - 1;
  });
  if (slow.length === 0) return [];
  const [first] = slow;
  const share = percentText(first!.messages / (first!.expected!.hz * lengthS));
  const text =
    slow.length === 1
      ? `${first!.topic} came with ${share} of its rate.`
      : `${counted(slow.length, 'topic')} came with less than 90 % of their rate.`;
  return [{ tone: 'warn', section: 'timeline', text }];
}

function wrongAnswer(remarks: readonly Remark[]): Answer {
  const worst = remarks.reduce<Tone>((tone, one) => (ranks[one.tone] > ranks[tone] ? one.tone : tone), 'ok');
  const serious = remarks.filter(({ tone }) => tone === 'bad').length;
  const mild = remarks.filter(({ tone }) => tone === 'warn').length;
  const headline =
    serious > 0
      ? `${counted(serious, 'serious thing')}${mild > 0 ? `, ${humanCount(mild)} more` : ''}`
      : mild > 0
        ? `${counted(mild, 'thing')} to look at`
        : 'Nothing was noticed';
  return { question: 'What went wrong?', tone: worst, headline, remarks };
}

function times(count: number): string {
  return count === 1 ? 'once' : `${humanCount(count)} times`;
}

function wrongRemarks(data: ReportData): Remark[] {
  const { topics, sessions, clockSteps, diagnostics } = data;
  const remarks: Remark[] = [];
  const add = (tone: Tone, section: string, text: string): void => void remarks.push({ tone, section, text });
  remarks.push(...problemRemarks(data));
  const unclean = sessions.reduce((sum, { uncleanEnds }) => sum + uncleanEnds, 0);
  if (unclean > 0)
    add(
      'bad',
      'identity',
      `The recorder ended ${times(unclean)} without being stopped (kill, crash or power loss).`,
    );
  if (clockSteps.length > 0) {
    const largest = clockSteps.reduce((a, b) => (Math.abs(b.stepMs) > Math.abs(a.stepMs) ? b : a));
    add(
      'warn',
      'identity',
      `The clock was set ${times(clockSteps.length)} while recording, by ${latencyText(largest.stepMs)} at most.`,
    );
  }
  const errors = diagnostics.lanes.filter(({ counts }) => counts[2] > 0);
  const warnings = diagnostics.lanes.filter(({ counts }) => counts[1] > 0 && counts[2] === 0);
  const stale = diagnostics.lanes.filter(({ counts }) => counts[3] > 0 && counts[1] + counts[2] === 0);
  const lanes = (some: typeof errors): string =>
    listed(
      some.map(({ robot, name }) => (name.includes(robot) || robot === '' ? name : `${robot} ${name}`)),
      2,
    );
  if (errors.length > 0) add('bad', 'health', `Diagnostics reported errors: ${lanes(errors)}.`);
  if (warnings.length > 0) add('warn', 'health', `Diagnostics warned: ${lanes(warnings)}.`);
  if (stale.length > 0) add('warn', 'health', `Diagnostics went stale: ${lanes(stale)}.`);
  for (const plot of data.battery.filter(({ title }) => title === 'charge')) {
    const { min } = plot.series[0]!;
    const least = min.reduce((a, b) => (b < a ? b : a), Infinity);
    if (least < LOW_CHARGE)
      add(
        'warn',
        'health',
        `The battery of ${plot.robot || plot.topic} fell to ${percentText(least / 100)}.`,
      );
  }
  const undecoded = topics.filter((topic) => topic.undecoded > 0);
  if (undecoded.length > 0) {
    const count = undecoded.reduce((sum, topic) => sum + topic.undecoded, 0);
    add(
      'warn',
      'losses',
      `${counted(count, 'message')} of ${listed(
        undecoded.map(({ topic }) => topic),
        2,
      )} could not be decoded; they are recorded.`,
    );
  }
  const ahead = topics.filter(
    ({ latency }) => latency !== undefined && latency.count > 0 && latency.p50Ms < AHEAD_MS,
  );
  const slow = topics.filter(
    ({ latency }) => latency !== undefined && latency.count > 0 && latency.p50Ms > HIGH_LATENCY_MS,
  );
  if (ahead.length > 0)
    add(
      'warn',
      'latency',
      `Stamps of ${listed(
        ahead.map(({ topic }) => topic),
        2,
      )} are ahead of the recorder's clock.`,
    );
  if (slow.length > 0) {
    const most = slow.reduce((a, b) => (b.latency!.p50Ms > a.latency!.p50Ms ? b : a));
    add(
      'warn',
      'latency',
      `${slow.length > 3 ? `${slow.length} topics` : listed(slow.map(({ topic }) => topic))} came late: ${latencyText(most.latency!.p50Ms)} in the median.`,
    );
  }
  const strange = [...data.plots, ...data.battery].filter(
    ({ title, series, topic }) =>
      title !== 'temperature' && series.some((one) => one.notFinite > 0 && one.count > 0) && topic !== '',
  );
  if (strange.length > 0)
    add(
      'warn',
      'values',
      `NaN or infinite values in ${listed([...new Set(strange.map(({ topic }) => topic))], 2)}.`,
    );
  return remarks.sort((a, b) => ranks[b.tone] - ranks[a.tone]);
}
