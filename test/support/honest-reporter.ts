import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import { defined } from '../../src/core/defined.js';
import { lackOf } from '../../src/testing/lacking.js';
import { middlewareOf } from './middleware-of.js';

/** How long the process may live on after the last test. A handle that is still open then is a leak. */
const LEAK_MS = 10_000;

export interface TestReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly { readonly title: string; readonly need?: string; readonly reason?: string }[];
  /** The failed tests and hooks, each with its error on one line. */
  readonly failures: readonly TestFailure[];
  /** The suites that are defined once per ROS middleware. */
  readonly onMiddlewares: readonly MiddlewareTally[];
  /** How long the suites of each file took, hooks included, milliseconds. */
  readonly fileTimes: Readonly<Record<string, number>>;
}

export interface TestFailure {
  readonly title: string;
  readonly error: string;
  /** Its message and stack, if it has them. */
  readonly detail?: string;
  /** The compiled file of the test or hook. */
  readonly file?: string;
}

export interface MiddlewareTally {
  readonly middleware: string;
  readonly suite: string;
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Mocha's `spec` output, plus a report for bin/test.mjs (`HOLDFAST_TEST_REPORT`, a file) with the stated reason
 * of every skipped test. It also ends a run that leaves a timer, socket or child behind, as a failure. With the option
 * `isOneOfMany` further files follow in this process (bin/test-lane.mjs): then it does neither that nor print the end.
 */
export default class HonestReporter extends Mocha.reporters.Spec {
  readonly #isOneOfMany: boolean;

  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    this.#isOneOfMany =
      (options.reporterOptions as { isOneOfMany?: boolean } | undefined)?.isOneOfMany === true;
    const skipped: TestReport['skipped'][number][] = [];
    runner.on('pending', (test) => {
      const chain: object[] = [test];
      for (let suite = test.parent; suite !== undefined; suite = suite.parent) chain.push(suite);
      skipped.push({ title: test.fullTitle(), ...chain.map(lackOf).find((lack) => lack !== undefined) });
    });
    const failures: TestFailure[] = [];
    runner.on('fail', (test, error: unknown) => {
      const file = test.file ?? test.parent?.file;
      failures.push({
        title: test.fullTitle(),
        error: String(error).replace(/\s+/g, ' '),
        ...defined({ file, detail: error instanceof Error ? error.stack : undefined }),
      });
    });
    const onMiddlewares = tallyMiddlewares(runner);
    const fileTimes = timeFiles(runner);
    runner.on('end', () => {
      const { passes: passed = 0, failures: failed = 0 } = runner.stats ?? {};
      const path = process.env['HOLDFAST_TEST_REPORT'];
      const report: TestReport = { passed, failed, skipped, failures, onMiddlewares, fileTimes };
      if (path !== undefined) writeFileSync(path, JSON.stringify(report));
      if (!this.#isOneOfMany) endIfLeaking();
    });
  }

  override epilogue(): void {
    if (!this.#isOneOfMany) super.epilogue();
    else if (this.failures.length > 0) Mocha.reporters.Base.list(this.failures);
  }
}

/** Call it after the last test. A process that lives on for long then is ended, as a failure. */
export function endIfLeaking(): void {
  setTimeout(() => endLeaking(), LEAK_MS).unref();
}

/** Measures the suites of each file. */
function timeFiles(runner: Mocha.Runner): Readonly<Record<string, number>> {
  const times: Record<string, number> = {};
  let startedAt = 0;
  const isTop = (suite: Mocha.Suite): boolean => suite.parent?.root === true;
  runner.on('suite', (suite) => {
    if (isTop(suite)) startedAt = performance.now();
  });
  runner.on('suite end', (suite) => {
    if (!isTop(suite) || suite.file === undefined) return;
    times[suite.file] = (times[suite.file] ?? 0) + Math.round(performance.now() - startedAt);
  });
  return times;
}

/** Counts the tests of each suite of `onEveryMiddleware`, in the order in which they run. */
function tallyMiddlewares(runner: Mocha.Runner): readonly MiddlewareTally[] {
  const tallies: MiddlewareTally[] = [];
  const count = (test: Mocha.Runnable, outcome: 'passed' | 'failed' | 'skipped'): void => {
    const middleware = middlewareOf(test);
    if (middleware === undefined) return;
    let top = test.parent;
    while (top?.parent !== undefined && !top.parent.root) top = top.parent;
    const suite = top?.title ?? '';
    let tally = tallies.find((one) => one.middleware === middleware && one.suite === suite);
    if (tally === undefined) tallies.push((tally = { middleware, suite, passed: 0, failed: 0, skipped: 0 }));
    tally[outcome]++;
  };
  runner.on('pass', (test) => count(test, 'passed'));
  runner.on('fail', (test) => count(test, 'failed'));
  runner.on('pending', (test) => count(test, 'skipped'));
  return tallies;
}

function endLeaking(): never {
  const open = process.getActiveResourcesInfo().filter((name) => name !== 'TTYWrap' && name !== 'PipeWrap');
  console.error(`\nthe tests leave this open ${LEAK_MS / 1_000} s after the last one: ${open.join(', ')}`);
  process.exit(97);
}
