import assert from 'node:assert/strict';
import { isHoldfastError } from '../../src/core/errors.js';
import { present } from '../../src/core/present.js';
import type { ConfigFault } from '../../src/settings/fault.js';
import { resolve, type RawFlags } from '../../src/settings/resolve.js';
import { parseSink, type SinkFault } from '../../src/settings/sink-spec.js';
import { compileSyncSettings, type SyncSettings } from '../../src/settings/sync-settings.js';

const compile = (flags: RawFlags): SyncSettings =>
  compileSyncSettings(resolve('sync', undefined, { 'store.uri': 'dir:/store', ...flags }));

function faultsOf(flags: RawFlags): string[] {
  try {
    compile(flags);
  } catch (error) {
    assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
    return (error.facts['faults'] as ConfigFault[]).map(({ path, allowed }) => `${path}: ${allowed}`);
  }
  return assert.fail('expected CONFIG_INVALID');
}

describe('parameters of the send policy', () => {
  it('are alternatives, bytes, classes and a zone', () => {
    const { options } = compile({
      'sync.when': ['ssid=Depot metered=no', 'hours=20:00-06:00'],
      'sync.budget': '2GB',
      'sync.pass': ['events', 'high'],
      'sync.time_zone': 'Europe/Berlin',
    });
    assert.deepEqual(
      options.when.map(({ text }) => text),
      ['ssid=Depot metered=no', 'hours=20:00-06:00'],
    );
    assert.deepEqual([options.budgetBytesPerDay, options.pass], [2e9, ['events', 'high']]);
    assert.equal(options.timeZone, 'Europe/Berlin');
  });

  it('are refused with the form that is allowed', () => {
    const faults = faultsOf({
      'sync.when': ['wireless=Depot'],
      'sync.pass': ['low'],
      'sync.time_zone': 'Mars',
    });
    assert.equal(faults.length, 3);
    assert.match(faults.join('\n'), /sync\.when: .*ssid=NAME/);
    assert.match(faults.join('\n'), /sync\.pass: allowed: events, high, requested/);
    assert.match(faults.join('\n'), /sync\.time_zone: .*Europe\/Berlin/);
  });

  it('refuse a budget that one part would exceed, of the process and of a sink', () => {
    const faults = faultsOf({ 'sync.budget': '1MB', sinks: ['mcap:dir:/nas?budget=2MB'] });
    assert.deepEqual(
      faults.map((fault) => fault.slice(0, 40)),
      ['sync.budget: allowed: 0, or at least one', 'sinks: allowed: 0, or at least one part '],
    );
  });

  it('can be given for one sink, or taken away from it', () => {
    const faults: SinkFault[] = [];
    const text = 'mcap:dir:/nas?when=interface=eth*|ssid=Depot hours=20:00-06:00&budget=1GB&pass=requested';
    const sink = present(parseSink(text, faults));
    assert.deepEqual(
      sink.when?.map((one) => one.text),
      ['interface=eth*', 'ssid=Depot hours=20:00-06:00'],
    );
    assert.deepEqual([sink.budgetBytesPerDay, sink.pass], [1e9, ['requested']]);
    const free = present(parseSink('mcap:dir:/nas?when=always&budget=0&pass=none', faults));
    assert.deepEqual([free.when, free.budgetBytesPerDay, free.pass], [[], 0, []]);
    assert.deepEqual(faults, []);
    assert.equal(parseSink('mcap:dir:/nas?when=nice weather&budget=much&pass=all', faults), undefined);
    assert.deepEqual(
      faults.map(({ value }) => value),
      ['when=nice weather', 'budget=much', 'pass=all'],
    );
  });
});
