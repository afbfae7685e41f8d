import { requestedReasons } from '../../core/gap.js';
import { humanCount } from '../../core/human-numbers.js';
import { missingRemarks, requestedRemarks } from './missing-remarks.js';
import { problemRemarks, worstTone, type Remark, type Tone } from './remark.js';
import type { ReportData } from './report-data.js';
import { counted, duration } from './words.js';
import { wrongRemarks } from './wrong-remarks.js';

/** One of the three questions that the first screen answers. */
export interface Answer {
  readonly question: string;
  readonly tone: Tone;
  readonly headline: string;
  readonly remarks: readonly Remark[];
}

/** Answers in words: is it complete, what is missing, what went wrong. */
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
      { tone: 'quiet', section: 'losses', text: 'Every loss is counted, and there was no loss.' },
    ],
  };
}

/** Robots with messages. If recordings do not state the robot, other names can look like one. */
export function robotCount({ topics }: ReportData): number {
  return new Set(
    topics.filter(({ robot, messages }) => robot !== '' && messages > 0).map(({ robot }) => robot),
  ).size;
}

/** Segments of Holdfast have a session. */
function isHoldfasts({ sessions }: ReportData): boolean {
  return sessions.length > 0 && sessions.every(({ session }) => session !== '');
}

function missingAnswer(data: ReportData, remarks: readonly Remark[]): Answer {
  const lostMessages = data.gaps.totals.filter(({ reason }) => !requestedReasons.has(reason));
  const known = lostMessages.reduce((sum, { messages }) => sum + messages, 0) + evictedMessages(data);
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
    remarks: [...remarks, ...requestedRemarks(data)],
  };
}

function evictedMessages({ storage }: ReportData): number {
  return storage.totals.find(({ state }) => state === 'evicted')?.messages ?? 0;
}

function wrongAnswer(remarks: readonly Remark[]): Answer {
  const serious = remarks.filter(({ tone }) => tone === 'bad').length;
  const mild = remarks.filter(({ tone }) => tone === 'warn').length;
  const headline =
    serious > 0
      ? `${counted(serious, 'serious thing')}${mild > 0 ? `, ${humanCount(mild)} more` : ''}`
      : mild > 0
        ? `${counted(mild, 'thing')} to look at`
        : 'Nothing was noticed';
  return { question: 'What went wrong?', tone: worstTone(remarks), headline, remarks };
}
