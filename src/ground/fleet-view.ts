import type { RobotCommand } from '../uplink/protocol/robot-command.js';
import type { CommandOutcome } from './commands.js';
import type { FleetRow } from './fleet-row.js';
import type { RobotDetail, RobotView } from './robot-state.js';

/** The fleet as pages and the API see it: of this process, or of all processes of a ground. */
export interface FleetView {
  /** In the order of their names. */
  robots(): readonly RobotView[] | Promise<readonly RobotView[]>;
  /** By its name, or by its vehicle identification number. */
  robot(name: string): RobotDetail | undefined | Promise<RobotDetail | undefined>;
  /** The robots in one line each, in the order of their names. */
  rows(): readonly FleetRow[];
  /** The name of a robot by its name or VIN; undefined: it has never connected. */
  nameOf(name: string): string | undefined;
  /** Forgets a robot that is not connected. */
  forget(robot: string): void;
  /** Sends a command to a robot; resolves with how it ended. */
  give(robot: string, command: RobotCommand): Promise<CommandOutcome>;
}
