import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import { offersTransientLocal } from '../../../src/core/mcap/qos.js';
import { present } from '../../../src/core/present.js';
import { DURABILITY, HISTORY, RELIABILITY, type OfferedQos } from '../../../src/sources/ros/endpoints.js';
import { offeredQosYaml } from '../../../src/sources/ros/offered-qos-yaml.js';
import { parseQosOverrides } from '../../../src/sources/ros/qos-overrides.js';
import { offer } from '../../support/ros-offer.js';
import { depthRule, isLatched, requestFor } from '../../../src/sources/ros/reader-qos.js';

const bestEffort = offer({ reliability: RELIABILITY.best_effort });
const latched = offer({ durability: DURABILITY.transient_local });

describe('What a subscription asks for', () => {
  it('is reliable and transient-local only if all publishers offer it', () => {
    const asked = (offers: OfferedQos[]): unknown => {
      const { qos } = requestFor(offers, 0);
      return [qos.reliability, qos.durability];
    };
    assert.deepEqual(asked([offer(), offer()]), [RELIABILITY.reliable, DURABILITY.volatile]);
    assert.deepEqual(asked([latched, latched]), [RELIABILITY.reliable, DURABILITY.transient_local]);
    assert.deepEqual(asked([bestEffort]), [RELIABILITY.best_effort, DURABILITY.volatile]);
    assert.deepEqual(asked([offer(), bestEffort]), [RELIABILITY.best_effort, DURABILITY.volatile]);
    assert.deepEqual(asked([latched, offer()]), [RELIABILITY.reliable, DURABILITY.volatile]);
  });

  it('names the policies on which the publishers differ', () => {
    assert.deepEqual(requestFor([offer(), offer()], 0).mixed, []);
    assert.match(requestFor([offer(), bestEffort], 0).mixed.join(), /1 of 2 publishers are reliable/);
    assert.match(requestFor([latched, offer(), offer()], 0).mixed.join(), /1 of 3 publishers are transient/);
  });

  it('keeps all messages, or the given number', () => {
    assert.equal(requestFor([offer()], 0).qos.history, HISTORY.keep_all);
    const { qos } = requestFor([offer()], 500);
    assert.deepEqual([qos.history, qos.depth], [HISTORY.keep_last, 500]);
  });

  it('keeps few images where readers are bounded and taken natively, unless a depth is wanted', () => {
    const image = 'sensor_msgs/msg/Image';
    const bounded = depthRule(undefined, false);
    assert.equal(bounded(image, 'native'), 16);
    assert.equal(bounded(image, 'rclnodejs'), 5_000, 'it takes when the event loop is free');
    assert.equal(bounded('sensor_msgs/msg/Imu', 'native'), 5_000);
    assert.equal(depthRule(undefined, true)(image, 'native'), 0);
    for (const keepsAll of [false, true]) assert.equal(depthRule(7, keepsAll)(image, 'native'), 7);
  });

  it('follows an override, and names the publishers that it excludes', () => {
    const override = present(
      parseQosOverrides('/x: {reliability: reliable, durability: transient_local}', 'f').get('/x'),
    );
    const { qos, incompatible } = requestFor([bestEffort, latched], 0, override);
    assert.equal(qos, override);
    assert.match(incompatible.join(), /1 of 2 publishers are best effort.*1 of 2 publishers are volatile/);
  });

  it('makes a channel latched if any publisher offers transient-local', () => {
    assert.equal(isLatched([offer(), latched]), true);
    assert.equal(isLatched([offer()]), false);
  });

  it('makes no channel latched whose messages expire, such as the log lines of /rosout', () => {
    const expiring = { ...latched, lifespan: { sec: 10n, nsec: 0 } };
    assert.equal(isLatched([expiring]), false);
    assert.equal(isLatched([expiring, latched]), true);
    for (const lifespan of [
      { sec: 9_223_372_036n, nsec: 854_775_807 },
      { sec: 2_147_483_647n, nsec: 4_294_967_295 },
      { sec: 0n, nsec: 0 },
    ]) {
      assert.equal(isLatched([{ ...latched, lifespan }]), true);
    }
  });
});

describe('A file of QoS overrides', () => {
  it('is read in the form of ros2 bag record', () => {
    const text = [
      '/imu:',
      '  history: keep_all',
      '  reliability: best_effort',
      '  deadline: {sec: 1, nsec: 0}',
      '/map:',
      '  depth: 5',
      '  durability: transient_local',
    ].join('\n');
    const overrides = parseQosOverrides(text, 'qos.yaml');
    const { history, reliability } = present(overrides.get('/imu'));
    assert.deepEqual([history, reliability], [HISTORY.keep_all, RELIABILITY.best_effort]);
    const map = present(overrides.get('/map'));
    assert.deepEqual(
      [map.history, map.depth, map.reliability, map.durability],
      [HISTORY.keep_last, 5, RELIABILITY.reliable, DURABILITY.transient_local],
    );
    assert.equal(parseQosOverrides('', 'empty').size, 0);
  });

  it('is refused with every fault, each with the allowed values', () => {
    const refused = (text: string, ...patterns: RegExp[]): void =>
      assert.throws(
        () => parseQosOverrides(text, 'qos.yaml'),
        (error: unknown) => {
          assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
          assert.match(error.message, /qos\.yaml/);
          for (const pattern of patterns) assert.match(error.message, pattern);
          return true;
        },
      );
    refused('/a: {reliability: perfect, depth: -1}', /perfect.*reliable, best_effort/, /depth "-1"/);
    refused('a: {dept: 1}', /as \/a/, /unknown policy dept.*depth/);
    refused('[1]', /map/);
    refused('/a: 3', /\/a: must hold/);
    refused('a: [', /not YAML/);
    refused('/a: {reliability: constructor}', /constructor/);
  });
});

describe('The offered QoS of a channel', () => {
  it('is the text rosbag2 writes since Jazzy', () => {
    const text = offeredQosYaml([offer({ durability: DURABILITY.transient_local, depth: 1 })], 'jazzy');
    assert.equal(
      text,
      [
        '- history: keep_last',
        '  depth: 1',
        '  reliability: reliable',
        '  durability: transient_local',
        '  deadline:',
        '    sec: 9223372036',
        '    nsec: 854775807',
        '  lifespan:',
        '    sec: 9223372036',
        '    nsec: 854775807',
        '  liveliness: automatic',
        '  liveliness_lease_duration:',
        '    sec: 9223372036',
        '    nsec: 854775807',
        '  avoid_ros_namespace_conventions: false',
      ].join('\n'),
    );
    assert.ok(offersTransientLocal(text));
  });

  it('holds numbers before Jazzy, one entry per publisher, and nothing for none', () => {
    const text = offeredQosYaml([latched, bestEffort], 'humble');
    assert.match(text, /durability: 1\n[\s\S]*reliability: 2\n {2}durability: 2/);
    assert.ok(offersTransientLocal(text));
    assert.equal(offeredQosYaml([], 'jazzy'), '');
  });
});
