import type { RobotFigures } from '../uplink/protocol/robot-figures.js';
import type { ReportedAlert } from '../uplink/protocol/robot-report.js';
import type { MeasuredPosition } from './fleet-row.js';

/** What a restart of the ground does not forget of a robot. */
export interface KnownRobot {
  readonly robot: string;
  /** Empty: not a vehicle. */
  readonly vin: string;
  readonly version: string;
  /** On the clock of the ground. */
  readonly heardAtNs: bigint;
  readonly status: RobotFigures | null;
  readonly alerts: readonly ReportedAlert[];
  readonly position: MeasuredPosition | null;
  readonly reportedAtNs: bigint | null;
  /** How far its clock was behind the ground's; null: unknown. */
  readonly clockBehindS: number | null;
}
