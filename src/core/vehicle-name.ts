/** The robot that the logger of a vehicle records: `vehicle_3` for the vehicle `3`. */
export function vehicleRobot(vehicleId: string): string {
  return `vehicle_${vehicleId}`;
}

/** The inverse: `3` for the robot `vehicle_3`; the name itself for any other robot. */
export function vehicleIdOf(robot: string): string {
  return /^vehicle_(.+)$/s.exec(robot)?.[1] ?? robot;
}
