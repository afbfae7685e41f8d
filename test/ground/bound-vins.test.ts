import assert from 'node:assert/strict';
import { BoundVins, vinOf } from '../../src/ground/bound-vins.js';

const [FIRST, SECOND, FREE] = ['1ZZZ5A3T0RF000001', '1ZZZ5A3T0RF000002', '1ZZZ5A3T0RF000003'];

describe('A bound VIN', () => {
  const bound = new BoundVins([
    { robot: 'car_1', vin: FIRST },
    { robot: 'car_2', vin: SECOND },
    { robot: 'robot_7' },
  ]);

  it('is that of its robot, also if the robot says none, and of no other robot', () => {
    assert.deepEqual([vinOf(FIRST, FIRST, bound), vinOf('', FIRST, bound)], [FIRST, FIRST]);
    assert.deepEqual([vinOf(SECOND, FIRST, bound), vinOf(FREE, FIRST, bound)], [undefined, undefined]);
    assert.deepEqual(
      [vinOf(FIRST, '', bound), vinOf(FREE, '', bound), vinOf('', '', bound)],
      [undefined, FREE, ''],
    );
    assert.deepEqual(bound.all(), { car_1: FIRST, car_2: SECOND });
  });

  it('may be any while they are not known: a robot then says only its own', () => {
    assert.deepEqual([vinOf(FREE, '', undefined), vinOf('', '', undefined)], [undefined, '']);
    assert.equal(vinOf(FIRST, FIRST, undefined), FIRST);
  });
});
