import { join } from 'node:path';
import { formatTime, type Clock } from '../core/clock.js';
import { documentKind } from '../core/documents/document.js';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import { NamedTokens, TOKEN_NAME } from './named-tokens.js';

/** A robot that may connect: `robots/<name>.json` in the ground's folder. */
interface EnrolledRobot {
  readonly format: 'holdfast-ground-robot';
  readonly version: 1;
  readonly robot: string;
  /** SHA-256 of the token, hexadecimal. The token itself is not kept: it has 256 random bits. */
  readonly tokenSha256: string;
  /** ISO 8601. */
  readonly enrolledAt: string;
}

/** `epochs/<name>.json` in the ground's folder. */
interface LastEpoch {
  readonly format: 'holdfast-ground-epoch';
  readonly version: 1;
  readonly epoch: number;
}

const robotFiles = documentKind<EnrolledRobot>('enrolled robot', {
  type: 'object',
  required: ['format', 'version', 'robot', 'tokenSha256', 'enrolledAt'],
  properties: {
    format: { const: 'holdfast-ground-robot', description: 'holdfast-ground-robot' },
    version: { const: 1, description: '1' },
    robot: { type: 'string', pattern: TOKEN_NAME.source, description: 'the name of a robot' },
    tokenSha256: { type: 'string', pattern: '^[0-9a-f]{64}$', description: '64 hexadecimal digits' },
    enrolledAt: { type: 'string', description: 'a time' },
  },
});

const epochFiles = documentKind<LastEpoch>('last epoch', {
  type: 'object',
  required: ['format', 'version', 'epoch'],
  properties: {
    format: { const: 'holdfast-ground-epoch', description: 'holdfast-ground-epoch' },
    version: { const: 1, description: '1' },
    epoch: {
      type: 'integer',
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'a whole number from 1',
    },
  },
});

export interface RegistryPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: (count: number) => Uint8Array;
}

/**
 * The robots that may connect to a ground, and the epochs it gave them, as files in its folder. Other processes
 * may enrol and revoke robots while the ground runs.
 */
export class RobotRegistry {
  readonly #robots: NamedTokens<EnrolledRobot>;
  readonly #epochs: string;
  readonly #ports: RegistryPorts;
  /** Of each robot, so that two connections never get the same epoch. */
  readonly #turns = new Map<string, Promise<number>>();

  /** @param folder - The ground's folder; created when it is first written. */
  constructor(folder: string, ports: RegistryPorts) {
    this.#robots = new NamedTokens({
      ...{ fs: ports.fs, random: ports.random, folder: join(folder, 'robots'), kind: robotFiles },
      ...{ nameOf: ({ robot }: EnrolledRobot) => robot, what: 'robot' },
    });
    this.#epochs = join(folder, 'epochs');
    this.#ports = ports;
  }

  /**
   * Lets a robot connect, and returns its token, which is not kept. A robot that was enrolled before gets a new
   * token; the old one is no longer valid. Throws `REQUEST_INVALID` for a name that is not allowed.
   */
  enrol(robot: string): Promise<string> {
    const enrolledAt = formatTime(this.#ports.clock.now());
    return this.#robots.issue(robot, (tokenSha256) => ({
      ...{ format: 'holdfast-ground-robot', version: 1, robot, tokenSha256, enrolledAt },
    }));
  }

  /** Ends the right of a robot to connect. False: it is not enrolled. */
  revoke(robot: string): Promise<boolean> {
    return this.#robots.revoke(robot);
  }

  /** The names of the robots that may connect, in order. */
  async list(): Promise<readonly string[]> {
    return (await this.#robots.list()).map(({ robot }) => robot);
  }

  /** The robot that a token belongs to; undefined: the token is not valid. */
  async admit(token: string): Promise<string | undefined> {
    return (await this.#robots.admit(token))?.robot;
  }

  /** A number that no connection of the robot had before, larger than all of those. Durable when this resolves. */
  nextEpoch(robot: string): Promise<number> {
    const before = this.#turns.get(robot) ?? Promise.resolve(0);
    const turn = before.catch(() => 0).then(() => this.#raiseEpoch(robot));
    this.#turns.set(robot, turn);
    const forget = (): void => {
      if (this.#turns.get(robot) === turn) this.#turns.delete(robot);
    };
    turn.then(forget, forget);
    return turn;
  }

  async #raiseEpoch(robot: string): Promise<number> {
    const { fs } = this.#ports;
    const path = join(this.#epochs, `${robot}.json`);
    const bytes = await readFileIfPresent(fs, path);
    // A damaged file must not make epochs begin again: the error keeps the robot away until somebody looks.
    const last = bytes === undefined ? 0 : epochFiles.parse(bytes.toString('utf8'), path).epoch;
    const document: LastEpoch = { format: 'holdfast-ground-epoch', version: 1, epoch: last + 1 };
    await makeDirectoryDurably(fs, this.#epochs);
    await writeFileDurably(fs, path, `${JSON.stringify(document)}\n`);
    return document.epoch;
  }
}
