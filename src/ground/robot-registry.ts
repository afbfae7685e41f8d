import { createHash, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { formatTime, type Clock } from '../core/clock.js';
import { documentKind } from '../core/documents/document.js';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import { HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

/** Names that are also file names. */
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/;
const SECRET_BYTES = 32;

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
    robot: { type: 'string', pattern: NAME.source, description: 'the name of a robot' },
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
  readonly #robots: string;
  readonly #epochs: string;
  readonly #ports: RegistryPorts;
  /** Of each robot, so that two connections never get the same epoch. */
  readonly #turns = new Map<string, Promise<number>>();

  /** @param folder - The ground's folder; created when it is first written. */
  constructor(folder: string, ports: RegistryPorts) {
    this.#robots = join(folder, 'robots');
    this.#epochs = join(folder, 'epochs');
    this.#ports = ports;
  }

  /**
   * Lets a robot connect, and returns its token, which is not kept. A robot that was enrolled before gets a new
   * token; the old one is no longer valid. Throws `REQUEST_INVALID` for a name that is not allowed.
   */
  async enrol(robot: string): Promise<string> {
    if (!NAME.test(robot)) {
      throw new HoldfastError(
        'REQUEST_INVALID',
        `"${robot}" is no name of a robot, allowed: 1 to 64 of A-Z a-z 0-9 _ - and, inside, a dot`,
        { facts: { robot } },
      );
    }
    const { fs, clock, random } = this.#ports;
    const token = `${robot}:${Buffer.from(random(SECRET_BYTES)).toString('base64url')}`;
    const document: EnrolledRobot = {
      ...{ format: 'holdfast-ground-robot', version: 1, robot },
      ...{ tokenSha256: digestOf(token).toString('hex'), enrolledAt: formatTime(clock.now()) },
    };
    await makeDirectoryDurably(fs, this.#robots);
    await writeFileDurably(fs, this.#fileOf(robot), `${JSON.stringify(document, undefined, 2)}\n`);
    return token;
  }

  /** Ends the right of a robot to connect. False: it is not enrolled. */
  async revoke(robot: string): Promise<boolean> {
    if ((await this.#find(robot)) === undefined) return false;
    await this.#ports.fs.rm(this.#fileOf(robot), { force: true });
    return true;
  }

  /** The names of the robots that may connect, in order. */
  async list(): Promise<readonly string[]> {
    const names = await this.#ports.fs.readdir(this.#robots).catch(() => [] as string[]);
    const found = await Promise.all(
      names
        .filter((name) => name.endsWith('.json'))
        .map((name) => this.#find(name.slice(0, -'.json'.length))),
    );
    return found.flatMap((one) => (one === undefined ? [] : [one.robot])).sort();
  }

  /** The robot that a token belongs to; undefined: the token is not valid. */
  async admit(token: string): Promise<string | undefined> {
    const found = await this.#find(token.slice(0, Math.max(0, token.indexOf(':'))));
    if (found === undefined) return undefined;
    return timingSafeEqual(digestOf(token), Buffer.from(found.tokenSha256, 'hex')) ? found.robot : undefined;
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

  async #find(robot: string): Promise<EnrolledRobot | undefined> {
    if (!NAME.test(robot)) return undefined;
    const path = this.#fileOf(robot);
    const bytes = await readFileIfPresent(this.#ports.fs, path);
    if (bytes === undefined) return undefined;
    const found = robotFiles.parse(bytes.toString('utf8'), path);
    // On a disk that ignores case, one name would open the file of another.
    return found.robot === robot ? found : undefined;
  }

  #fileOf(robot: string): string {
    return join(this.#robots, `${robot}.json`);
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
