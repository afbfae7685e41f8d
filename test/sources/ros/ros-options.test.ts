import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import {
  parseDomains,
  parseRobots,
  readRosUri,
  defaultRosOptions,
} from '../../../src/sources/ros/ros-options.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';

const read = (text: string, defaults = defaultRosOptions) => readRosUri(parseSourceUri(text), defaults);

describe('A source ros:', () => {
  it('records the domain of the environment by default', () => {
    assert.deepEqual(read('ros:'), defaultRosOptions);
  });

  it('takes its options from the URI, what that does not state from the parameters', () => {
    const defaults = { ...defaultRosOptions, hidden: true, pollMs: 250, depth: 10 };
    const options = read('ros:?domain=3&robots=auto&global=shared&hidden=false&qos=a/b.yaml', defaults);
    assert.deepEqual(options.domains, [{ id: 3 }]);
    assert.deepEqual(
      [
        options.robots,
        options.global,
        options.hidden,
        options.qosOverridesPath,
        options.pollMs,
        options.depth,
      ],
      ['auto', 'shared', false, 'a/b.yaml', 250, 10],
    );
    const nodes = read('ros:?include_node=^/r1/&exclude_node=tool&use_sim_time=true&depth=0&poll=50ms');
    assert.deepEqual([nodes.includeNodes, nodes.excludeNodes], [[/^\/r1\//], [/tool/]]);
    assert.deepEqual([nodes.useSimTime, nodes.depth, nodes.pollMs], [true, 0, 50]);
  });

  it('makes each of several domains a robot', () => {
    assert.deepEqual(parseDomains('3'), [{ id: 3 }]);
    assert.deepEqual(parseDomains('van:3'), [{ id: 3, robot: 'van' }]);
    assert.deepEqual(parseDomains('van:3, 4'), [
      { id: 3, robot: 'van' },
      { id: 4, robot: 'domain_4' },
    ]);
    for (const wrong of [
      '',
      '233',
      '3,3',
      'a:b',
      '-1',
      '1,',
      Array.from({ length: 33 }, (_, i) => i).join(),
    ]) {
      assert.equal(parseDomains(wrong), undefined, wrong);
    }
  });

  it('takes robots as namespaces', () => {
    assert.equal(parseRobots('auto'), 'auto');
    assert.deepEqual(parseRobots('/r1, r2,/fleet/r3/'), ['/r1', '/r2', '/fleet/r3']);
    for (const wrong of ['', '/', 'r 1', '/1r', 'a//b']) assert.equal(parseRobots(wrong), undefined, wrong);
  });

  it('is refused with every fault and the allowed values', () => {
    for (const [uri, pattern] of [
      ['ros:3', /nothing stands between/],
      ['ros:?domain=300', /domain: "300" is not .*232/],
      ['ros:?domain=1&domains=1,2', /both/],
      ['ros:?robots=&hidden=maybe', /robots.*auto.*hidden.*true or false/],
      ['ros:?include_node=(', /regular expression/],
      ['ros:?poll=1ms', /10ms/],
      ['ros:?speed=2x', /speed: unknown option/],
    ] as const) {
      assert.throws(
        () => read(uri),
        (error: unknown) => {
          assert.ok(isHoldfastError(error, 'CONFIG_INVALID'), String(error));
          assert.match(error.message, pattern);
          return true;
        },
      );
    }
  });
});
