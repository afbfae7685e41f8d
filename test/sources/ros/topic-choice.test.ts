import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import type { Publisher } from '../../../src/sources/ros/endpoints.js';
import { whyNotRecorded, type TopicRules } from '../../../src/sources/ros/topic-choice.js';
import { offer } from '../../support/ros-offer.js';

const rules: TopicRules = {
  wanted: () => true,
  includeNodes: [],
  excludeNodes: [],
  hidden: false,
  services: false,
  actions: false,
  own: false,
  isOwnNode: (name) => name === 'holdfast_recorder' || name === 'holdfast_sync',
};
const by = (...names: string[]): Publisher[] =>
  names.map((name) => ({
    node: present(name.split('/').at(-1)),
    namespace: name.slice(0, name.lastIndexOf('/')) || '/',
    type: 'std_msgs/msg/String',
    typeHash: '',
    gid: name,
    qos: offer(),
  }));
const why = (topic: string, publishers: Publisher[], change: Partial<TopicRules> = {}): string | undefined =>
  whyNotRecorded({ ...rules, ...change }, topic, 'std_msgs/msg/String', publishers);

describe('A ROS topic', () => {
  it('is recorded when somebody publishes it', () => {
    assert.equal(why('/imu', by('/lidar')), undefined);
  });

  it('is left out if the rules of the recorder exclude it', () => {
    assert.equal(why('/imu', by('/lidar'), { wanted: (topic) => topic !== '/imu' }), 'not wanted');
  });

  it('is recorded only by option when hidden, a service event, or of an action', () => {
    const event = '/add/_service_event';
    const feedback = '/fly/_action/feedback';
    assert.equal(why('/_secret/x', by('/a')), 'hidden');
    assert.equal(why(event, by('/a')), 'service event');
    assert.equal(why(feedback, by('/a')), 'action');
    assert.equal(why('/_secret/x', by('/a'), { hidden: true }), undefined);
    assert.equal(why(event, by('/a'), { services: true }), undefined);
    assert.equal(why(event, by('/a'), { actions: true }), 'service event');
    assert.equal(why(feedback, by('/a'), { actions: true }), undefined);
    assert.equal(why(feedback, by('/a'), { hidden: true }), undefined);
    assert.equal(why('/no_hidden/x_', by('/a')), undefined);
  });

  it('is not recorded if only Holdfast publishes it, in whatever namespace', () => {
    const own = by('/holdfast_recorder', '/robot_1/holdfast_sync');
    assert.equal(why('/diagnostics', own), 'own');
    assert.equal(why('/diagnostics', [...own, ...by('/motor')]), undefined);
    assert.equal(why('/diagnostics', own, { own: true }), undefined);
  });

  it('is chosen by the full names of its publishers', () => {
    const both = by('/r1/lidar', '/r2/camera');
    const one = by('/r1/lidar');
    assert.equal(why('/x', both, { includeNodes: [/^\/r1\//] }), undefined);
    assert.equal(why('/x', one, { includeNodes: [/^\/r2\//] }), 'node not included');
    assert.equal(why('/x', both, { excludeNodes: [/lidar/] }), undefined);
    assert.equal(why('/x', one, { excludeNodes: [/lidar/] }), 'node excluded');
  });
});
