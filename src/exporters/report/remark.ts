import { humanCount } from '../../core/human-numbers.js';
import type { ReportData } from './report-data.js';

export type Tone = 'ok' | 'warn' | 'bad' | 'quiet';

/** A sentence, and the section with details. */
export interface Remark {
  readonly tone: Tone;
  readonly text: string;
  readonly section: string;
}

const ranks: Readonly<Record<Tone, number>> = { quiet: 0, ok: 1, warn: 2, bad: 3 };

/** Worst first. */
export function worstFirst(remarks: Remark[]): Remark[] {
  return remarks.sort((a, b) => ranks[b.tone] - ranks[a.tone]);
}

/** The worst tone among the remarks; `ok` if there are none. */
export function worstTone(remarks: readonly Remark[]): Tone {
  return remarks.reduce<Tone>((tone, one) => (ranks[one.tone] > ranks[tone] ? one.tone : tone), 'ok');
}

/** Files and messages that could not be read. */
export function problemRemarks({ problems, problemsOmitted }: ReportData): Remark[] {
  const count = problems.length + problemsOmitted;
  if (count === 0) return [];
  const text =
    count === 1
      ? `${problems[0]!.where.split('/').at(-1)}: ${problems[0]!.reason}`
      : `${humanCount(count)} things could not be read.`;
  return [{ tone: 'bad', section: 'losses', text: text.length > 200 ? `${text.slice(0, 200)}…` : text }];
}

export function times(count: number): string {
  return count === 1 ? 'once' : `${humanCount(count)} times`;
}
