import { formatTime, type Clock } from '../core/clock.js';
import { randomHex } from '../core/identity.js';
import type { Identity } from '../monitors/http/access.js';
import type { RobotCommand } from '../uplink/protocol/robot-command.js';
import type { AuditEntry, AuditLog, AuditState } from './audit-log.js';

/** How a robot took a command. */
export interface CommandOutcome {
  readonly state: Exclude<AuditState, 'asked'>;
  readonly message: string;
}

/** Sends a command to a robot. Never rejects. */
export type CommandSender = (robot: string, command: RobotCommand) => Promise<CommandOutcome>;

export interface CommandsPorts {
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly random: (count: number) => Uint8Array;
}

/** Gives commands to robots, each in the audit log before it is sent and when it has ended. */
export class Commands {
  readonly #send: CommandSender;
  readonly #ports: CommandsPorts;

  constructor(send: CommandSender, ports: CommandsPorts) {
    this.#send = send;
    this.#ports = ports;
  }

  /** Rejects if the audit log cannot be written; then nothing is sent. */
  async give(
    { name: who, role }: Identity,
    address: string,
    robot: string,
    command: RobotCommand,
  ): Promise<AuditEntry> {
    const { audit, clock, random } = this.#ports;
    const { name, label } = command;
    const asked: AuditEntry = {
      ...{ id: randomHex(random, 8), at: formatTime(clock.now()), who, role, address, robot, command: name },
      ...{ label, state: 'asked', message: '', endedAt: '' },
    };
    await audit.append(asked);
    const { state, message } = await this.#send(robot, command);
    const ended: AuditEntry = { ...asked, state, message, endedAt: formatTime(clock.now()) };
    await audit.append(ended);
    return ended;
  }
}
