import { defined } from '../../core/defined.js';
import type { CheckRule, CheckSeverity } from './check-rule.js';
import type { Found } from './topic-check.js';

/** One violation of a rule; plain JSON, times in decimal nanoseconds since the Unix epoch. */
export interface CheckFinding {
  readonly severity: CheckSeverity;
  readonly rule: string;
  readonly check: string;
  readonly robot: string;
  /** Absent: about the robot, or the recording. */
  readonly topic?: string;
  readonly field?: string;
  readonly from?: string;
  readonly to?: string;
  readonly count?: number;
  readonly value?: number;
  readonly limit?: number;
  readonly text: string;
}

/** A rule together with its target: a test case of the JUnit file. */
export interface Subject {
  readonly rule: CheckRule;
  readonly robot: string;
  readonly topic: string | undefined;
  readonly findings: CheckFinding[];
  /** Number of all of them, including those not kept. */
  count: number;
}

/** Maximum number of findings kept per rule and topic, the first ones, and in total. */
export const MAX_PER_SUBJECT = 20;
export const MAX_FINDINGS = 10_000;

/** Collects findings, bounded; further ones are counted. */
export class FindingLedger {
  readonly #subjects = new Map<string, Subject>();
  #kept = 0;
  errors = 0;
  warnings = 0;

  /** Records that a rule was applied, with any result. */
  subject(rule: CheckRule, robot: string, topic?: string): Subject {
    const key = JSON.stringify([rule.name, robot, topic]);
    let subject = this.#subjects.get(key);
    if (subject === undefined) {
      subject = { rule, robot, topic, findings: [], count: 0 };
      this.#subjects.set(key, subject);
    }
    return subject;
  }

  add(subject: Subject, { from, to, field, count, value, limit, text }: Found): void {
    const { rule, robot, topic } = subject;
    if (rule.severity === 'error') this.errors++;
    else this.warnings++;
    subject.count++;
    if (subject.findings.length >= MAX_PER_SUBJECT || this.#kept >= MAX_FINDINGS) return;
    this.#kept++;
    subject.findings.push({
      severity: rule.severity,
      rule: rule.name,
      check: rule.check,
      robot,
      ...defined({ topic, field }),
      ...(from === undefined ? {} : { from: String(from) }),
      ...(to === undefined ? {} : { to: String(to) }),
      ...defined({ count }),
      ...(value === undefined || !Number.isFinite(value) ? {} : { value }),
      ...defined({ limit }),
      text,
    });
  }

  subjects(): readonly Subject[] {
    return [...this.#subjects.values()];
  }

  /** Errors first, each by time. */
  findings(): CheckFinding[] {
    const all = this.subjects().flatMap(({ findings }) => findings);
    const at = ({ from }: CheckFinding): bigint => BigInt(from ?? 0);
    return all.sort((a, b) => {
      if (a.severity !== b.severity) return a.severity === 'error' ? -1 : 1;
      return at(a) < at(b) ? -1 : at(a) > at(b) ? 1 : 0;
    });
  }
}
