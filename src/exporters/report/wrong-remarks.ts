import { problemRemarks, times, worstFirst, type Remark, type Tone } from './remark.js';
import type { ReportData, TopicFacts } from './report-data.js';
import { counted, latencyText, listed, percentText } from './words.js';

/** A battery below this gets a remark, percent. */
const LOW_CHARGE = 20;
/** A median latency above this gets a remark, milliseconds. */
const HIGH_LATENCY_MS = 1_000;
/** A latency below zero by more than this is not rounding, milliseconds. */
const AHEAD_MS = -1;

/** Problems during the recording, and problems that the topics report. */
export function wrongRemarks(data: ReportData): Remark[] {
  const remarks = [
    ...problemRemarks(data),
    ...runRemarks(data),
    ...diagnosticRemarks(data),
    ...batteryRemarks(data),
    ...decodingRemarks(data.topics),
    ...latencyRemarks(data),
    ...valueRemarks(data),
  ];
  return worstFirst(remarks);
}

/** How the recorder ended, and the steps of its clock. */
function runRemarks({ sessions, clockSteps }: ReportData): Remark[] {
  const remarks: Remark[] = [];
  const unclean = sessions.reduce((sum, { uncleanEnds }) => sum + uncleanEnds, 0);
  if (unclean > 0) {
    const text = `The recorder ended ${times(unclean)} without being stopped (kill, crash or power loss).`;
    remarks.push({ tone: 'bad', section: 'identity', text });
  }
  if (clockSteps.length > 0) {
    const largest = clockSteps.reduce((a, b) => (Math.abs(b.stepMs) > Math.abs(a.stepMs) ? b : a));
    const text = `The clock was set ${times(clockSteps.length)} while recording, by ${latencyText(largest.stepMs)} at most.`;
    remarks.push({ tone: 'warn', section: 'identity', text });
  }
  return remarks;
}

function diagnosticRemarks({ diagnostics: { lanes } }: ReportData): Remark[] {
  const errors = lanes.filter(({ counts }) => counts[2] > 0);
  const warnings = lanes.filter(({ counts }) => counts[1] > 0 && counts[2] === 0);
  const stale = lanes.filter(({ counts }) => counts[3] > 0 && counts[1] + counts[2] === 0);
  const names = (some: typeof errors): string =>
    listed(
      some.map(({ robot, name }) => (name.includes(robot) || robot === '' ? name : `${robot} ${name}`)),
      2,
    );
  const remarks: Remark[] = [];
  const add = (tone: Tone, text: string): void => void remarks.push({ tone, section: 'health', text });
  if (errors.length > 0) add('bad', `Diagnostics reported errors: ${names(errors)}.`);
  if (warnings.length > 0) add('warn', `Diagnostics warned: ${names(warnings)}.`);
  if (stale.length > 0) add('warn', `Diagnostics went stale: ${names(stale)}.`);
  return remarks;
}

function batteryRemarks({ battery }: ReportData): Remark[] {
  return battery.flatMap(({ title, series, robot, topic }): Remark[] => {
    if (title !== 'charge') return [];
    const least = series[0]!.min.reduce((a, b) => (b < a ? b : a), Infinity);
    if (!(least < LOW_CHARGE)) return [];
    const text = `The battery of ${robot || topic} fell to ${percentText(least / 100)}.`;
    return [{ tone: 'warn', section: 'health', text }];
  });
}

function latencyRemarks({ topics }: ReportData): Remark[] {
  const known = topics.flatMap(({ topic, latency }) =>
    latency !== undefined && latency.count > 0 ? [{ topic, p50Ms: latency.p50Ms }] : [],
  );
  const ahead = known.filter(({ p50Ms }) => p50Ms < AHEAD_MS);
  const slow = known.filter(({ p50Ms }) => p50Ms > HIGH_LATENCY_MS);
  const remarks: Remark[] = [];
  const add = (text: string): void => void remarks.push({ tone: 'warn', section: 'latency', text });
  const names = (some: typeof known): string[] => some.map(({ topic }) => topic);
  if (ahead.length > 0) add(`Stamps of ${listed(names(ahead), 2)} are ahead of the recorder's clock.`);
  if (slow.length > 0) {
    const most = slow.reduce((a, b) => (b.p50Ms > a.p50Ms ? b : a));
    const who = slow.length > 3 ? `${slow.length} topics` : listed(names(slow));
    add(`${who} came late: ${latencyText(most.p50Ms)} in the median.`);
  }
  return remarks;
}

function valueRemarks({ plots, battery }: ReportData): Remark[] {
  const strange = [...plots, ...battery].filter(
    ({ title, series, topic }) =>
      title !== 'temperature' && series.some((one) => one.notFinite > 0 && one.count > 0) && topic !== '',
  );
  if (strange.length === 0) return [];
  const text = `NaN or infinite values in ${listed([...new Set(strange.map(({ topic }) => topic))], 2)}.`;
  return [{ tone: 'warn', section: 'values', text }];
}

/** Messages that could not be decoded, and messages that may have been decoded wrongly. */
function decodingRemarks(topics: readonly TopicFacts[]): Remark[] {
  const remarks: Remark[] = [];
  const add = (countOf: (topic: TopicFacts) => number, what: (count: number) => string): void => {
    const some = topics.filter((topic) => countOf(topic) > 0);
    if (some.length === 0) return;
    const count = some.reduce((sum, topic) => sum + countOf(topic), 0);
    const names = some.map(({ topic }) => topic);
    const text = `${counted(count, 'message')} of ${listed(names, 2)} ${what(count)}`;
    remarks.push({ tone: 'warn', section: 'losses', text });
  };
  add(
    ({ undecoded }) => undecoded,
    () => 'could not be decoded; they are recorded.',
  );
  add(
    ({ misfits }) => misfits,
    (count) =>
      `${count === 1 ? 'does' : 'do'} not match ${count === 1 ? 'its' : 'their'} definition: values may be wrong.`,
  );
  return remarks;
}
