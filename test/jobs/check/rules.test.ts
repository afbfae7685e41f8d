import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { loadRules } from '../../../src/jobs/check/load-rules.js';
import { parseRules } from '../../../src/jobs/check/parse-rules.js';
import { checkNames } from '../../../src/jobs/check/rule-settings.js';
import { toJunit } from '../../../src/jobs/check/junit.js';
import { runCli } from '../../support/cli.js';
import { recording } from '../../support/recordings.js';
import { check, cleanDrive } from './check-support.js';

describe('the rules of a check', () => {
  it('are refused with all faults at once, each with line, path, value and the allowed values', () => {
    const text = `version: 2
extra: 1
rules:
  - { name: a, check: rate }
  - name: b
    check: rat
  - name: c d
    check: stuck
    severity: fatal
    for_s: -1
  - { name: e, check: rate, min_hz: 5, min_hx: 1, topics: [] }
  - { name: e, check: damage, robots: 7 }
  - { name: f, check: not_finite, allow: [nan, none], fields: [''] }
  - nothing
`;
    const { faults, rules } = parseRules(text, 'rules.yaml');
    assert.deepEqual(
      faults.map(
        ({ where, path, value, allowed }) => `${where}: ${path}: ${JSON.stringify(value)}: ${allowed}`,
      ),
      [
        'rules.yaml:2: extra: undefined: unknown key; allowed: version, extends, disable, rules',
        'rules.yaml:1: version: 2: allowed: 1',
        'rules.yaml:4: rules[0]: undefined: allowed: min_hz or max_hz (or both) with rate',
        `rules.yaml:6: rules[1].check: "rat": allowed: ${checkNames.join(', ')}`,
        'rules.yaml:7: rules[2].name: "c d": allowed: 1 to 64 letters, digits, _ . -',
        'rules.yaml:9: rules[2].severity: "fatal": allowed: error, warn',
        'rules.yaml:7: rules[2].fields: undefined: allowed: a name or a list of names; stuck needs it',
        'rules.yaml:10: rules[2].for_s: -1: allowed: a number from 0 to 86400',
        'rules.yaml:11: rules[3].min_hx: undefined: unknown key; did you mean min_hz?',
        'rules.yaml:12: rules[4].robots: 7: allowed: a name or a list of names',
        'rules.yaml:13: rules[5].fields: [""]: allowed: a name or a list of names',
        'rules.yaml:13: rules[5].allow: ["nan","none"]: allowed: nan, inf',
        'rules.yaml:14: rules[6]: "nothing": allowed: a mapping with name and check',
      ],
    );
    assert.deepEqual(rules, []);
  });

  it('can extend the rules of the command: replace by name, disable, add', async () => {
    const base = await loadRules();
    const text = `version: 1
extends: default
disable: [latency, missing]
rules:
  - { name: silence, check: silence, max_s: 1 }
  - { name: own, check: rate, min_hz: 1 }
`;
    const { rules, faults } = parseRules(text, 'x', base);
    assert.deepEqual(faults, []);
    const names = base.map(({ name }) => name).filter((name) => name !== 'latency' && name !== 'missing');
    assert.deepEqual(
      rules.map(({ name }) => name),
      [...names, 'own'],
    );
    assert.equal(present(rules.find(({ name }) => name === 'silence')).severity, 'error');
    const wrong = parseRules('version: 1\nextends: default\ndisable: [nobody]\n', 'x', base);
    assert.match(wrong.faults[0]!.allowed, /names of default rules.*damage/);
  });

  it('are refused as a whole if they are no YAML, or empty', () => {
    assert.equal(parseRules('rules: [', 'x').faults[0]!.path, '(YAML)');
    assert.equal(parseRules('', 'x').faults[0]!.path, '(file)');
    assert.equal(parseRules('version: 1\n', 'x').faults[0]!.path, 'rules');
  });
});

describe('holdfast check', function () {
  this.timeout(60_000);
  let folder: string;
  before(async () => (folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-check-'))));
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('finds no error in a drive through a tunnel, where there is no fix', async () => {
    const data = join(folder, 'drive');
    const source = 'csv:bundled?speed=max';
    const recorded = await runCli([
      'record',
      '--source',
      source,
      '--data',
      data,
      '--no-web',
      '--no-foxglove',
    ]);
    assert.equal(recorded.exitCode, 0, recorded.stderr);
    const { exitCode, stdout } = await runCli(['check', data, '--topics', '*/gps/fix']);
    assert.equal(exitCode, 0, stdout);
    const strict = join(folder, 'strict.yaml');
    await fs.writeFile(
      strict,
      'version: 1\nrules: [{name: fix, check: not_finite, topics: ["*/gps/fix"], fields: [latitude]}]\n',
    );
    const asked = await runCli(['check', data, '--rules', strict]);
    assert.match(asked.stdout, /latitude: NaN in 563 messages/);
    assert.equal(asked.exitCode, 3);
  });

  it('ends with 0 on a sound recording, with 3 on one with errors, with 2 on wrong rules', async () => {
    const sound = await runCli(['check', recording('two_robots')]);
    assert.equal(sound.exitCode, 0);
    assert.match(
      sound.stdout,
      /^OK: 0 errors, 0 warnings by \d+ rules in 12,396 messages of 23 topics, 2026-/,
    );
    const junit = join(folder, 'check.xml');
    const killed = await runCli(['check', recording('killed'), '--json', '--junit', junit]);
    assert.equal(killed.exitCode, 3);
    const { ok, errors, warnings, findings } = killed.json as unknown as {
      ok: boolean;
      errors: number;
      warnings: number;
      findings: { rule: string }[];
    };
    assert.deepEqual(
      [ok, errors, warnings, findings.map(({ rule }) => rule)],
      [false, 1, 1, ['damage', 'unclean_end']],
    );
    assert.match(
      await fs.readFile(junit, 'utf8'),
      /<failure type="damage" message="[^"]*2146 of 2912256 bytes/,
    );
    const rules = join(folder, 'rules.yaml');
    await fs.writeFile(rules, 'version: 1\nrules: [{name: a, check: rate, min_hz: x}, {check: no}]\n');
    const wrong = await runCli(['check', recording('two_robots'), '--rules', rules]);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /3 faults/);
    assert.match(
      wrong.stderr,
      /rules\.yaml:2: rules\[0\]\.min_hz is "x"; allowed: a number from 0 to 1000000/,
    );
  });

  it('fails on warnings if that is asked for, and by rules of its own', async () => {
    const rules = join(folder, 'own.yaml');
    await fs.writeFile(
      rules,
      "version: 1\nrules: [{name: imu, check: rate, topics: ['*/imu'], min_hz: 101, severity: warn}]\n",
    );
    const args = ['check', recording('two_robots'), '--rules', rules];
    assert.equal((await runCli(args)).exitCode, 0);
    const strict = await runCli([...args, '--fail-on', 'warn']);
    assert.equal(strict.exitCode, 3);
    assert.match(
      strict.stdout,
      /WARN +imu +robot1 +\/robot1\/imu +2026-11-20T21:44:19\.807Z +[\d.]+ Hz, at least 101 Hz expected/,
    );
  });

  it('prints the built-in rules, in a form that it can read', async () => {
    const printed = await runCli(['check', '--print-rules']);
    const rules = join(folder, 'printed.yaml');
    await fs.writeFile(rules, printed.stdout);
    assert.deepEqual(await loadRules(rules), await loadRules());
  });

  it('writes JUnit XML with the result of each rule and topic, for names of any letters', async () => {
    const messages = cleanDrive().map((message) =>
      message.topic !== '/r1/imu'
        ? message
        : { ...message, topic: '/r1/<&"\u0001', payload: new Uint8Array(2) },
    );
    const xml = toJunit(await check({ messages }));
    assert.match(xml, /<testsuite name="undecodable" tests="6" failures="1" errors="0" skipped="0">/);
    assert.match(
      xml,
      /<testcase classname="undecodable.r1" name="\/r1\/&lt;&amp;&quot;\?"><failure type="undecodable" message="600 messages/,
    );
    assert.match(xml, /<testcase classname="silence.r1" name="\/r1\/camera"\/>/);
  });
});
