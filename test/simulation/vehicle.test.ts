import assert from 'node:assert/strict';
import {
  MAX_ACCELERATION_M_S2,
  MAX_SPEED_M_S,
  MAX_TURN_RATE_RAD_S,
  Vehicle,
  VEHICLE_RADIUS_M,
} from '../../src/simulation/vehicle.js';
import { castRay, collides } from '../../src/simulation/world.js';

const DT_S = 0.005;

describe('The vehicles', function () {
  this.timeout(30_000);

  it('drive several laps, stop at stations and keep every limit', () => {
    const vehicles = [0, 1, 2].map((i) => new Vehicle(9, i, 3));
    const stops = vehicles.map(() => 0);
    for (let step = 0; step < 120 / DT_S; step++) {
      vehicles.forEach((vehicle, i) => {
        const { x, y, speed, mode } = vehicle;
        vehicle.step(DT_S, vehicles);
        assert.ok(vehicle.speed >= -1e-9 && vehicle.speed <= MAX_SPEED_M_S + 1e-9);
        assert.ok(Math.abs(vehicle.speed - speed) <= MAX_ACCELERATION_M_S2 * DT_S + 1e-9);
        assert.ok(Math.abs(vehicle.turnRate) <= MAX_TURN_RATE_RAD_S + 1e-9);
        assert.ok(Math.hypot(vehicle.x - x, vehicle.y - y) <= MAX_SPEED_M_S * DT_S + 1e-9, 'it jumped');
        assert.ok(!collides(vehicle.x, vehicle.y, VEHICLE_RADIUS_M), 'it hit something');
        if (mode === 'driving' && vehicle.mode === 'stopped') stops[i]!++;
      });
    }
    vehicles.forEach((vehicle, i) => {
      assert.ok(vehicle.lap >= 2, `only ${vehicle.lap} laps`);
      assert.ok(vehicle.distanceM > 100);
      assert.ok(stops[i]! >= 4, `only ${stops[i]} stops`);
    });
  });

  it('keep a distance to the one in front', () => {
    const crowd = Array.from({ length: 12 }, (_, i) => new Vehicle(1, i, 12));
    let blocked = 0;
    for (let step = 0; step < 60 / DT_S; step++) {
      for (const vehicle of crowd) vehicle.step(DT_S, crowd);
      blocked += crowd.filter((vehicle) => vehicle.mode === 'blocked').length;
    }
    assert.ok(blocked > 0, 'nobody ever waited for another');
    assert.ok(crowd.every((vehicle) => vehicle.distanceM > 30));
  });
});

describe('The world', () => {
  it('is closed: every ray hits something, and the nearest thing', () => {
    const hit = { distance: 0, surface: 0 };
    for (let i = 0; i < 360; i++) {
      castRay(-6, 4, (i * Math.PI) / 180, [], hit);
      assert.ok(hit.distance > 0 && hit.distance < 30 && hit.surface >= 0);
    }
    castRay(6, 0, Math.PI, [], hit);
    assert.ok(Math.abs(hit.distance - 2.75) < 1e-9, 'the pillar at 3 m with radius 0.25');
    castRay(6, 0, Math.PI, [{ x: 5, y: 0, radius: 0.3 }], hit);
    assert.ok(Math.abs(hit.distance - 0.7) < 1e-9, 'another vehicle in front of it');
  });
});
