import assert from 'node:assert/strict';
import { defined } from '../../../src/core/defined.js';
import { matchesNode, resolveOverrides, type NativeOverrides } from '../../../src/app/ros/overrides.js';

function section(name: string, values: Record<string, unknown>): NativeOverrides {
  return {
    name,
    parameters: Object.entries(values).map(([key, value]) => ({
      name: key,
      ...defined({ value }),
    })),
  };
}

describe('parameter overrides of a node', () => {
  it('match a node by its fully qualified name, with or without the first slash', () => {
    assert.ok(matchesNode('/robot_1/holdfast_recorder', '/robot_1/holdfast_recorder'));
    assert.ok(matchesNode('robot_1/holdfast_recorder', '/robot_1/holdfast_recorder'));
    assert.ok(!matchesNode('holdfast_recorder', '/robot_1/holdfast_recorder'));
    assert.ok(!matchesNode('/robot_2/holdfast_recorder', '/robot_1/holdfast_recorder'));
    assert.ok(!matchesNode('/robot_1/holdfast_recorder', '/robot_1/holdfast_recorder_2'));
  });

  it('match by * for one step and ** for any number of steps', () => {
    assert.ok(matchesNode('/**', '/a/b/c'));
    assert.ok(matchesNode('/**', '/c'));
    assert.ok(matchesNode('/*/holdfast_recorder', '/robot_1/holdfast_recorder'));
    assert.ok(!matchesNode('/*/holdfast_recorder', '/holdfast_recorder'));
    assert.ok(!matchesNode('/*/holdfast_recorder', '/fleet/robot_1/holdfast_recorder'));
    assert.ok(matchesNode('/fleet/**/holdfast_recorder', '/fleet/a/b/holdfast_recorder'));
    assert.ok(matchesNode('/fleet/**', '/fleet/a/b'));
    assert.ok(!matchesNode('/fleet/**', '/other/a'));
  });

  it('take the later one of two sections that match, whichever is more particular', () => {
    const all = section('/**', { a: 1, b: 1 });
    const mine = section('/robot_1/holdfast_recorder', { a: 2 });
    const name = '/robot_1/holdfast_recorder';
    assert.deepEqual(Object.fromEntries(resolveOverrides([all, mine], name)), { a: 2, b: 1 });
    assert.equal(resolveOverrides([mine, all], name).get('a'), 1);
    assert.equal(resolveOverrides([all, mine], '/robot_2/holdfast_recorder').get('a'), 1);
  });

  it('keep an empty list as one, and make integers and typed arrays plain', () => {
    const values = resolveOverrides(
      [section('/**', { list: undefined, n: 5n, many: new Float64Array([1, 2]), texts: ['a'] })],
      '/x',
    );
    assert.deepEqual(Object.fromEntries(values), { list: [], n: 5, many: [1, 2], texts: ['a'] });
  });

  it('survive a section name that is no name', () => {
    assert.ok(!matchesNode('/a(', '/a'));
    assert.ok(!matchesNode('', '/a'));
  });
});
