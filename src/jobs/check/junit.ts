import { escapeMarkup } from '../../core/escape-markup.js';
import type { CheckReport } from './run-check.js';
import type { Subject } from './finding-ledger.js';

/**
 * The report in the XML that CI systems read as test results. A rule is a suite, a topic a test case;
 * findings of severity error are its failure, warnings are output of a passed case. It has no times: the same
 * recording always gives the same file.
 */
export function toJunit({ subjects }: CheckReport): string {
  const suites = new Map<string, Subject[]>();
  for (const subject of subjects) {
    const suite = suites.get(subject.rule.name) ?? [];
    suites.set(subject.rule.name, suite);
    suite.push(subject);
  }
  const failures = (of: readonly Subject[]): number => of.filter(isFailure).length;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="holdfast check" tests="${subjects.length}" failures="${failures(subjects)}" errors="0">`,
    ...[...suites].flatMap(([name, cases]) => [
      `  <testsuite name="${xml(name)}" tests="${cases.length}" failures="${failures(cases)}" errors="0" skipped="0">`,
      ...cases.map(testCase),
      '  </testsuite>',
    ]),
    '</testsuites>',
  ];
  return `${lines.join('\n')}\n`;
}

function isFailure({ rule, count }: Subject): boolean {
  return rule.severity === 'error' && count > 0;
}

function testCase(subject: Subject): string {
  const { rule, robot, topic, findings, count } = subject;
  const name = topic ?? (robot === '' ? 'the recording' : robot);
  const head = `    <testcase classname="${xml(robot === '' ? rule.name : `${rule.name}.${robot}`)}" name="${xml(name)}"`;
  if (count === 0) return `${head}/>`;
  const told = findings.map(({ field, from, text }) =>
    [from === undefined ? '' : `${from}: `, field === undefined ? '' : `${field}: `, text].join(''),
  );
  const more = count > findings.length ? [`and ${count - findings.length} more`] : [];
  const body = xml([...told, ...more].join('\n'));
  const inner = isFailure(subject)
    ? `<failure type="${xml(rule.check)}" message="${xml(findings[0]?.text ?? `${count} findings`)}">${body}</failure>`
    : `<system-out>${body}</system-out>`;
  return `${head}>${inner}</testcase>`;
}

/** Characters that XML cannot hold become question marks. */
function xml(text: string): string {
  return escapeMarkup(text).replace(/[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '?');
}
