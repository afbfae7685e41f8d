import assert from 'node:assert/strict';
import {
  forecastByRobot,
  FORECAST_ROBOTS_MAX,
  type ForecastSegment,
} from '../../../src/core/send-policy/forecast.js';

const S = 1_000_000_000n;
const HOUR = 3_600n * S;
const segment = (robot: string, hour: number, bytes = 1_000): ForecastSegment => ({
  ...{ robot, bytes, parts: 1 },
  firstNs: BigInt(hour) * HOUR,
  lastNs: BigInt(hour + 1) * HOUR,
});

describe('the forecast of a day', () => {
  it('is the rate of the last day of each robot, the largest first', () => {
    const hours = [...Array(40).keys()];
    const of = (robot: string, bytes: number): ForecastSegment[] =>
      hours.map((hour) => segment(robot, hour, hour < 10 ? 1e9 : bytes));
    const [first, second, ...others] = forecastByRobot([...of('a', 10), ...of('b', 20)]);
    assert.deepEqual([first?.robot, first?.bytesPerDay, first?.objectsPerDay], ['b', 480, 48]);
    assert.deepEqual([second?.robot, second?.bytesPerDay, second?.requestsPerDay], ['a', 240, 216]);
    assert.deepEqual(others, []);
  });

  it('does not exist for a recording that is too short for a rate', () => {
    const short = { ...segment('a', 0), lastNs: 9n * S };
    assert.deepEqual(forecastByRobot([short]), []);
    assert.deepEqual(forecastByRobot([]), []);
  });

  it('sums up the robots that it does not name', () => {
    const all = [...Array(FORECAST_ROBOTS_MAX + 3).keys()].map((n) => segment(`r${n}`, 0));
    const forecast = forecastByRobot(all);
    assert.equal(forecast.length, FORECAST_ROBOTS_MAX + 1);
    assert.deepEqual(forecast.at(-1), {
      ...{ robot: '', bytesPerDay: 72_000 },
      ...{ objectsPerDay: 144, requestsPerDay: 648 },
    });
  });
});
