import assert from 'node:assert/strict';
import { readFleetOptions } from '../../../src/app/ros-fleet/fleet-options.js';
import { isHoldfastError } from '../../../src/core/errors.js';

const read = (values: Record<string, unknown>) => readFleetOptions(new Map(Object.entries(values)));

describe('parameters of sim_fleet', () => {
  it('are the options of sim:, in whatever type ROS made of them', () => {
    const { plan, shown } = read({
      robots: 2,
      topics: ['imu', 'odom'],
      duration: '5s',
      scale: 0.5,
      ledger: '',
    });
    const { channels } = plan.generator(0n);
    assert.deepEqual(
      channels.map(({ topic }) => topic),
      ['/robot1/imu', '/robot1/odom', '/robot2/imu', '/robot2/odom'],
    );
    assert.equal(plan.durationMs, 5_000);
    assert.deepEqual([shown.get('robots'), shown.get('topics'), shown.get('seed')], ['2', 'imu,odom', '']);
  });

  it('keep the simulator’s defaults if a launch file passes an empty text', () => {
    assert.equal(read({ duration: '', robots: '' }).plan.durationMs, undefined);
  });

  it('pass over what every node of ROS has', () => {
    read({ use_sim_time: true, 'qos_overrides./parameter_events.publisher.depth': 10 });
  });

  for (const [what, values, reason] of [
    [
      'an unknown name, with those there are',
      { robot: 2 },
      /^parameter robot: unknown; sim_fleet takes robots, /,
    ],
    ['a value out of its range', { robots: 5_000 }, /robots: "5000" is not an integer from 1 to 2000/],
    ['a rate that live topics cannot have', { rate: 'max' }, /^rate: "max"/],
    ['several faults at once', { robots: 0, imu_hz: 'fast' }, /robots: .*; imu_hz: "fast"/],
  ] as const) {
    it(`refuse ${what}`, () => {
      assert.throws(
        () => read(values),
        (error) => isHoldfastError(error) && error.code === 'CONFIG_INVALID' && reason.test(error.message),
      );
    });
  }
});
