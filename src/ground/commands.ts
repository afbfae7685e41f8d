import { formatTime, type Clock } from '../core/clock.js';
import { defined } from '../core/defined.js';
import { describeTags } from '../core/tags.js';
import { randomHex } from '../core/identity.js';
import type { Identity } from '../monitors/http/access.js';
import type { ActionName, RobotCommand } from '../uplink/protocol/robot-command.js';
import type { AuditedAction, AuditEntry, AuditLog, AuditState } from './audit-log.js';

/** How a robot took a command. */
export interface CommandOutcome {
  readonly state: Exclude<AuditState, 'asked'>;
  readonly message: string;
  /** What was asked for, as JSON. */
  readonly result?: string;
}

/** A command that does something. */
export type RobotAction = RobotCommand & { readonly name: ActionName };

/** Sends a command to a robot. Never rejects. */
export type CommandSender = (robot: string, command: RobotCommand) => Promise<CommandOutcome>;

/** A command that was given: how it ended, and what was asked for, as JSON. */
export interface GivenCommand {
  readonly entry: AuditEntry;
  readonly result?: string;
}

/** Who does something to a robot, and what. */
export interface Audited {
  readonly who: Identity;
  /** Where the request came from. */
  readonly address: string;
  readonly robot: string;
  readonly action: AuditedAction;
  readonly label: string;
}

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
  async give(who: Identity, address: string, robot: string, command: RobotAction): Promise<GivenCommand> {
    const { name: action } = command;
    const label = labelOf(command);
    let result: string | undefined;
    const entry = await this.audited({ who, address, robot, action, label }, async () => {
      const outcome = await this.#send(robot, command);
      result = outcome.result;
      return outcome;
    });
    return { entry, ...defined({ result }) };
  }

  /** Does something that is in the audit log before and after. Rejects if the log cannot be written, or as `work`. */
  async audited(
    { who: { name: who, role }, address, robot, action, label }: Audited,
    work: () => Promise<CommandOutcome>,
  ): Promise<AuditEntry> {
    const { audit, clock, random } = this.#ports;
    const asked: AuditEntry = {
      ...{ id: randomHex(random, 8), at: formatTime(clock.now()), who, role, address, robot },
      ...{ command: action, label, state: 'asked', message: '', endedAt: '' },
    };
    await audit.append(asked);
    const { state, message } = await work();
    const ended: AuditEntry = { ...asked, state, message, endedAt: formatTime(clock.now()) };
    await audit.append(ended);
    return ended;
  }
}

/** What is asked for, in the audit log. */
function labelOf({ label, parameter, value, tags }: RobotAction): string {
  if (tags !== undefined) return describeTags(tags);
  return parameter === undefined ? label : `${parameter} = ${value ?? ''}`;
}
