import { describeError, isHoldfastError } from '../../core/errors.js';
import { reportText } from '../protocol/report-text.js';
import type { CommandAnswer, RobotCommand } from '../protocol/robot-command.js';
import type { RobotMessage } from '../protocol/uplink-messages.js';

/** What was done, in words, and what was asked for, as JSON. */
export interface Obeyed {
  readonly message: string;
  readonly result: string;
}

/** Does what the ground asks; resolves with what was done, in words, or rejects with the reason of a refusal. */
export type Obey = (command: RobotCommand) => Promise<string | Obeyed>;

/** Commands of one connection that are being done. */
const MAX_RUNNING = 8;

/** Takes the commands of one connection, and answers each of them once. */
export class CommandAnswerer {
  readonly #epoch: number;
  readonly #obey: Obey | undefined;
  readonly #send: (answer: Extract<RobotMessage, { kind: 'answer' }>) => void;
  #lastId = 0;
  #running = 0;

  constructor(
    epoch: number,
    obey: Obey | undefined,
    send: (answer: Extract<RobotMessage, { kind: 'answer' }>) => void,
  ) {
    this.#epoch = epoch;
    this.#obey = obey;
    this.#send = send;
  }

  /** A number that was seen is ignored, so a command is never done twice. */
  take(id: number, command: RobotCommand | undefined): void {
    if (id <= this.#lastId) return;
    this.#lastId = id;
    const obey = this.#obey;
    if (command === undefined)
      this.#refuse(id, 'REQUEST_UNSUPPORTED', 'this version does not know the command');
    else if (obey === undefined) this.#refuse(id, 'REQUEST_UNSUPPORTED', 'this robot takes no commands');
    else if (this.#running >= MAX_RUNNING)
      this.#refuse(id, 'STATE_REFUSED', `${MAX_RUNNING} commands are being done, try again later`);
    else void this.#run(id, command, obey);
  }

  async #run(id: number, command: RobotCommand, obey: Obey): Promise<void> {
    this.#running++;
    try {
      const done = await obey(command);
      const { message, ...result } = typeof done === 'string' ? { message: done } : done;
      this.#answer(id, { ok: true, code: '', message: reportText(message), ...result });
    } catch (error) {
      this.#refuse(id, isHoldfastError(error) ? error.code : '', describeError(error));
    } finally {
      this.#running--;
    }
  }

  #refuse(id: number, code: string, message: string): void {
    this.#answer(id, { ok: false, code, message: reportText(message) });
  }

  #answer(id: number, answer: CommandAnswer): void {
    this.#send({ kind: 'answer', epoch: this.#epoch, id, answer });
  }
}
