import type { Row } from './row-reader.js';

const NS_PER_S = 1e9;

/** The estimated position of a vehicle: from the log, otherwise from its speed and heading and its start. */
export class DeadReckoning {
  x = 0;
  y = 0;
  /** Radians, counter-clockwise from east, from -π to π. */
  yaw = 0;

  /** Advances by one row, this long after the previous one. */
  step({ values }: Row, sinceNs: bigint): void {
    const seconds = Number(sinceNs) / NS_PER_S;
    const told = values.yaw ?? (values.heading === undefined ? NaN : Math.PI / 2 - values.heading);
    const turn = values.yaw_rate ?? NaN;
    if (!Number.isNaN(told)) this.yaw = wrapped(told);
    else if (!Number.isNaN(turn)) this.yaw = wrapped(this.yaw + turn * seconds);
    const { x = NaN, y = NaN, speed = NaN } = values;
    if (!Number.isNaN(x) && !Number.isNaN(y)) {
      this.x = x;
      this.y = y;
    } else if (!Number.isNaN(speed)) {
      this.x += speed * Math.cos(this.yaw) * seconds;
      this.y += speed * Math.sin(this.yaw) * seconds;
    }
  }
}

function wrapped(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}
