import assert from 'node:assert/strict';
import fc from 'fast-check';
import { HoldfastError } from '../../src/core/errors.js';
import { compileMonitoringOptions } from '../../src/app/monitoring/monitoring-options.js';
import { present } from '../../src/core/present.js';
import { compileRecorderOptions } from '../../src/settings/compile-recorder.js';
import { readConfigFile } from '../../src/settings/config-file.js';
import type { ConfigFault } from '../../src/settings/fault.js';
import { flagName } from '../../src/settings/parameter.js';
import { parameterNamed, parameterNames, type ParameterName } from '../../src/settings/parameter-table.js';
import { resolve, type RawFlags } from '../../src/settings/resolve.js';
import { rosSourceOptions } from '../../src/settings/ros-parameters.js';
import { parseSourceSpec } from '../../src/settings/source-spec.js';
import { compileSyncSettings } from '../../src/settings/sync-settings.js';
import { parseTopicRule } from '../../src/settings/topic-rule.js';
import {
  formatBytes,
  formatDurationMs,
  parseBytes,
  parseBytesPerS,
  parseDurationMs,
} from '../../src/settings/units.js';
import { syncDefaults } from '../../src/sync/sync-options.js';

const host = { hostname: 'crawler' };

function recorder(flags: RawFlags = {}, yaml?: string): ReturnType<typeof compileRecorderOptions> {
  const file = yaml === undefined ? undefined : readConfigFile(yaml, 'test.yaml');
  return compileRecorderOptions(resolve('recorder', file, flags), host);
}

function faultsOf(action: () => unknown): readonly ConfigFault[] {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof HoldfastError && error.code === 'CONFIG_INVALID', String(error));
    return error.facts['faults'] as ConfigFault[];
  }
  assert.fail('expected CONFIG_INVALID');
}

describe('units of parameters', () => {
  it('reads sizes in decimal and binary units', () => {
    assert.equal(parseBytes('64MiB'), 64 * 2 ** 20);
    assert.equal(parseBytes('64 MB'), 64e6);
    assert.equal(parseBytes('1.5GiB'), 1.5 * 2 ** 30);
    assert.equal(parseBytes('12'), 12);
    for (const wrong of ['', 'MiB', '-1', '64 Mib/s', '1e9', '0x10', '9999999TiB']) {
      assert.equal(parseBytes(wrong), undefined, wrong);
    }
  });

  it('reads times and rates', () => {
    assert.equal(parseDurationMs('500ms'), 500);
    assert.equal(parseDurationMs('2s'), 2_000);
    assert.equal(parseDurationMs('1h'), 3_600_000);
    assert.equal(parseDurationMs('2 weeks'), undefined);
    assert.equal(parseBytesPerS('25MB/s'), 25e6);
  });

  it('writes what reads back to the same number', () => {
    const whole = fc.integer({ min: 0, max: 2 ** 50 });
    fc.assert(fc.property(whole, (value) => parseBytes(formatBytes(value)) === value));
    fc.assert(fc.property(whole, (value) => parseDurationMs(formatDurationMs(value)) === value));
  });
});

describe('the parameter table', () => {
  it('has a default that its own rule accepts, and a flag of its own, for every parameter', () => {
    const flags = new Set<string>();
    for (const name of parameterNames) {
      const parameter = parameterNamed(name);
      assert.notEqual(parameter.parse(parameter.default), undefined, name);
      assert.match(parameter.description, /\.$/, name);
      flags.add(flagName(name, parameter));
    }
    assert.equal(flags.size, parameterNames.length);
  });

  it('gives sync exactly the defaults of the sync layer', () => {
    const settings = compileSyncSettings(resolve('sync', undefined, { 'store.uri': 'dir:/somewhere' }));
    assert.deepEqual(settings.options, syncDefaults);
  });
});

describe('configuration', () => {
  it('applies flags over the file, the specific section over the general one, and the file over defaults', () => {
    const yaml = `
/**:
  ros__parameters: { data: general, log: { level: debug } }
holdfast_recorder:
  ros__parameters:
    data: own
    segment.max_age_ms: 2s
    batch: { max_bytes: 1MiB, max_count: 5 }
`;
    const options = recorder({ 'batch.max_count': '7' }, yaml);
    assert.equal(options.data, 'own');
    assert.equal(options.segment.maxAgeMs, 2_000);
    assert.deepEqual(options.batch, { maxBytes: 2 ** 20, maxCount: 7, maxAgeMs: 20 });
    assert.equal(options.segment.maxBytes, 64 * 2 ** 20);
  });

  it('gives the recorder sync.transform of the section of sync, and nothing else of it', () => {
    const yaml = `
holdfast_sync:
  ros__parameters: { sync: { transform: [/driver drop], budget: 5MB }, store: { uri: 'dir:/x' } }
`;
    const { values } = resolve('recorder', readConfigFile(yaml, 'test.yaml'), {});
    assert.deepEqual(
      values['sync.transform'].map(({ text }) => text),
      ['/driver drop'],
    );
    assert.equal(values['store.uri'], '');
  });

  it('reports every fault of file and flags together, with place, value and the allowed values', () => {
    const yaml = `holdfast_recorder:
  ros__parameters:
    segment:
      max_byte: 1MiB
      max_age_ms: soon
    durability: { mode: fast }
holdfast_sync:
  ros__parameters:
    segment: { max_bytes: 1MiB }
    upload: { parts_in_flight: 0 }
holdfast_recoder: {}
`;
    const faults = faultsOf(() => recorder({ 'batch.max_bytes': '1', rules: ['x'] }, yaml));
    const places = faults.map(({ where, path }) => `${where} ${path}`).sort();
    assert.deepEqual(places, [
      '--batch-max-bytes batch.max_bytes',
      '--rule rules',
      'test.yaml:10 upload.parts_in_flight',
      'test.yaml:11 holdfast_recoder',
      'test.yaml:4 segment.max_byte',
      'test.yaml:5 segment.max_age_ms',
      'test.yaml:6 durability.mode',
      'test.yaml:9 segment.max_bytes',
    ]);
    const byPath = new Map(faults.map((fault) => [fault.path, fault]));
    assert.match(present(byPath.get('segment.max_byte')).allowed, /did you mean segment\.max_bytes\?/);
    assert.match(present(byPath.get('holdfast_recoder')).allowed, /did you mean holdfast_recorder\?/);
    assert.equal(present(byPath.get('durability.mode')).value, 'fast');
    assert.match(present(byPath.get('durability.mode')).allowed, /commit, interval, os/);
    assert.match(present(byPath.get('segment.max_bytes')).allowed, /belongs to holdfast_recorder/);
  });

  it('never shows a value that may hold a secret, right or wrong, from file or flag', () => {
    const secret = 'ftp://hooks.example/T0/SECRET';
    for (const resolved of [
      resolve('recorder', undefined, { 'alerts.webhook': secret }),
      resolve(
        'recorder',
        readConfigFile(`/**:\n  ros__parameters:\n    alerts:\n      webhook: ${secret}\n`, 'x.yaml'),
        {},
      ),
    ]) {
      assert.equal(resolved.faults.length, 1);
      assert.throws(
        () => compileMonitoringOptions(resolved),
        (error) =>
          error instanceof HoldfastError &&
          error.message.includes('alerts.webhook is "(not shown)"; allowed: an http') &&
          !JSON.stringify([error.message, error.facts]).includes('SECRET'),
      );
    }
  });

  it('reports YAML that does not parse, duplicate keys and sections that are no mapping', () => {
    for (const [yaml, where] of [
      ['a: [1, 2', 'test.yaml:1'],
      ['/**:\n  ros__parameters:\n    data: a\n    data: b\n', 'test.yaml:4'],
      ['/**: 7\n', 'test.yaml:1'],
      ['- list\n', 'test.yaml:1'],
    ] as const) {
      const faults = faultsOf(() => recorder({}, yaml));
      assert.equal(faults[0]!.where, where, yaml);
    }
    assert.equal(recorder({}, '').data, 'data');
  });

  it('throws only CONFIG_INVALID, for any file', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          recorder({}, `holdfast_recorder:\n  ros__parameters: ${text}`);
        } catch (error) {
          assert.ok(error instanceof HoldfastError && error.code === 'CONFIG_INVALID', String(error));
        }
      }),
    );
  });

  it('is frozen, and its expressions still match', () => {
    const options = recorder({ 'topics.include': ['^/a'] });
    assert.throws(() => ((options.batch as { maxCount: number }).maxCount = 1), TypeError);
    assert.ok(options.filter.includeTopics[0]!.test('/a/b'));
  });

  it('lowers default bounds below a smaller one that was set, and refuses set ones', () => {
    const small = recorder({ 'segment.max_bytes': '1MiB' });
    assert.equal(small.batch.maxBytes, 2 ** 20);
    assert.ok(small.ballastBytes >= 2 ** 21 && small.ballastBytes <= 3 * 2 ** 20);
    const faults = faultsOf(() => recorder({ 'segment.max_bytes': '1MiB', 'batch.max_bytes': '2MiB' }));
    assert.deepEqual(
      faults.map(({ path }) => path),
      ['batch.max_bytes'],
    );
  });

  it('wants a store for sync', () => {
    assert.match(faultsOf(() => compileSyncSettings(resolve('sync', undefined, {})))[0]!.allowed, /--store/);
  });
});

describe('sources and rules of the command line', () => {
  it('takes a robot name, the namespace rule or neither in front of the URI', () => {
    assert.deepEqual(parseSourceSpec('mcap:a=b?speed=2x'), { uri: 'mcap:a=b?speed=2x' });
    assert.deepEqual(parseSourceSpec('robot 7=mcap:a'), { uri: 'mcap:a', robot: 'robot 7' });
    assert.deepEqual(parseSourceSpec('@namespace=sim:'), { uri: 'sim:', robotFromNamespace: true });
    assert.equal(parseSourceSpec('recordings/a.mcap'), undefined);
  });

  it('fills in the robot from the general settings, and takes fleets apart by namespace', () => {
    const sources = ['mcap:a', 'x=sim:', 'sim:', '@namespace=mcap:b'];
    const of = (flags: RawFlags): string[] =>
      recorder({ sources, ...flags }).sources.map((one) => `${one.robot} ${one.robotFromNamespace}`);
    assert.deepEqual(of({}), ['crawler false', 'x false', 'crawler true', 'crawler true']);
    assert.deepEqual(of({ robot: 'r', robot_from_namespace: true }), [
      'r true',
      'x false',
      'r true',
      'r true',
    ]);
  });

  it('reads rules and refuses unknown, repeated or missing settings', () => {
    const rule = present(parseTopicRule('/camera/ priority=low queue=32MiB policy=block'));
    assert.deepEqual(rule, {
      topics: /\/camera\//u,
      priority: 'low',
      queueMaxBytes: 32 * 2 ** 20,
      policy: 'block',
    });
    for (const wrong of ['/a', '/a priority=', '/a priority=top', '( policy=block', '/a queue=0', '/a x=1']) {
      assert.equal(parseTopicRule(wrong), undefined, wrong);
    }
    assert.equal(parseTopicRule('/a priority=low priority=high'), undefined);
    assert.deepEqual(parseTopicRule('/a max_hz=0.5 every=3'), { topics: /\/a/u, maxHz: 0.5, every: 3 });
    for (const wrong of ['max_hz=0', 'max_hz=1e3', 'max_hz=', 'max_hz=2000000', 'max_hz=-1', 'every=0']) {
      assert.equal(parseTopicRule(`/a ${wrong}`), undefined, wrong);
    }
    for (const wrong of ['every=1.5', 'every=x', 'every=2 every=2', 'every=1000001']) {
      assert.equal(parseTopicRule(`/a ${wrong}`), undefined, wrong);
    }
  });
});

// A parameter that no code reads would be a promise nobody keeps.
describe('every recorder parameter', () => {
  it('changes the compiled options', () => {
    const others: Partial<Record<ParameterName, unknown>> = {
      sources: ['sim:'],
      robot: 'other',
      rules: ['/a priority=low'],
      static_topics: ['/a std_msgs/msg/Bool'],
      'anomaly.rules': ['/a nan'],
      'retention.max_bytes': '1GiB',
      'retention.confirm_max_age_ms': '5s',
      'web.host': '::1',
      'alerts.webhook': 'http://localhost/alerts',
      'ground.url': 'ws://ground',
      'ground.token_file': 'other',
      vins: ['robot1=1ZZZ5A3T0RF000001'],
      'seal.foxglove_device_ids': ['r1=dev_abc'],
      'ground.fields': ['/a.b threshold=1'],
    };
    // A ground needs tokens, and a key at rest needs recipients.
    const common = {
      sources: ['mcap:a'],
      'ground.token_file': 'tokens',
      'encryption.recipients': ['hfpub1_x'],
    };
    const compiled = (flags: RawFlags): string =>
      JSON.stringify(
        inspectable([
          recorder(flags),
          compileMonitoringOptions(resolve('recorder', undefined, flags)),
          rosSourceOptions(resolve('recorder', undefined, flags).values),
        ]),
      );
    const base = compiled(common);
    for (const name of parameterNames.filter((one) => parameterNamed(one).role === 'recorder')) {
      const raw = others[name] ?? otherValue(name);
      assert.notEqual(compiled({ ...common, [name]: raw }), base, name);
    }
  });
});

function otherValue(name: ParameterName): unknown {
  const { default: standard, list, allowed } = parameterNamed(name);
  if (name === 'tags') return ['mission=m3'];
  if (list) return ['abc'];
  if (typeof standard === 'boolean') return !standard;
  const candidates = [...allowed.split(', '), '2MiB', '128MiB', '3', '200', '7ms'];
  const parsed = parameterNamed(name).parse(standard);
  const other = candidates.find((raw) => {
    const value = parameterNamed(name).parse(raw);
    return value !== undefined && value !== parsed;
  });
  assert.ok(other !== undefined, name);
  return other;
}

function inspectable(value: unknown): unknown {
  if (value instanceof RegExp) return String(value);
  if (Array.isArray(value)) return value.map(inspectable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, inspectable(inner)]));
}
