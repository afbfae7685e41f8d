import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/core/errors.js';
import { parseStaticTopicsFile } from '../../../src/sources/ros/static-topics-file.js';
import { parseStaticTopic } from '../../../src/sources/ros/static-topics.js';

const refusal = (text: string): string => {
  try {
    parseStaticTopicsFile(text, 'f.yaml');
  } catch (error) {
    assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
    return error.message;
  }
  throw new Error(`accepted: ${text}`);
};

describe('Static topics', () => {
  it('are read in the form of ros2 bag record', () => {
    const text =
      'static_topics_and_types_list:\n - [/imu, sensor_msgs/msg/Imu]\n - [/a/b, std_msgs/msg/Bool]\n';
    assert.deepEqual(parseStaticTopicsFile(text, 'f.yaml'), [
      { topic: '/imu', type: 'sensor_msgs/msg/Imu' },
      { topic: '/a/b', type: 'std_msgs/msg/Bool' },
    ]);
  });

  it('are refused with every fault and what is allowed', () => {
    assert.match(refusal('{'), /f\.yaml: not YAML/);
    assert.match(refusal(''), /static_topics_and_types_list/);
    assert.match(refusal('static_topics_and_types_list: /imu'), /list .* of pairs/);
    const faults = refusal(
      'static_topics_and_types_list: [[imu, a/msg/B], [/x], [/y, Imu], [/z, a/msg/B], [/z, a/msg/C]]',
    );
    for (const part of ['"imu"', '"/x"', '"Imu"', '/z is there more than once']) {
      assert.ok(faults.includes(part), `${part} in ${faults}`);
    }
  });

  it('are texts of name and type as parameters', () => {
    assert.deepEqual(parseStaticTopic('/a  p/msg/T'), { topic: '/a', type: 'p/msg/T' });
    for (const wrong of ['', '/a', '/a T', 'a p/msg/T', '/a p/msg/T x', '/1a p/msg/T', '/a/ p/msg/T']) {
      assert.equal(parseStaticTopic(wrong), undefined, wrong);
    }
  });
});
