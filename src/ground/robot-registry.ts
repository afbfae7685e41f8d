import { join } from 'node:path';
import { formatTime, type Clock } from '../core/clock.js';
import { documentKind } from '../core/documents/document.js';
import { HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { isVin, VIN, VIN_TEXT } from '../core/vin.js';
import type { Queries } from './database/database.js';
import { EpochFiles, EpochTable, type Epochs } from './epochs.js';
import { BoundVins } from './bound-vins.js';
import { isUniqueViolation } from './database/unique-violation.js';
import { NamedTokens, TOKEN_NAME } from './named-tokens.js';
import { TokenFiles } from './token-files.js';
import { TokenTable } from './token-table.js';

/** A robot that may connect: `robots/<name>.json` in the ground's folder, or a row of `tokens`. */
export interface EnrolledRobot {
  readonly format: 'holdfast-ground-robot';
  readonly version: 1;
  readonly robot: string;
  /** Only this robot may say it, and this robot no other one; absent: it is bound to none. */
  readonly vin?: string;
  /** SHA-256 of the token, hexadecimal. The token itself is not kept: it has 256 random bits. */
  readonly tokenSha256: string;
  /** ISO 8601. */
  readonly enrolledAt: string;
}

const robotFiles = documentKind<EnrolledRobot>('enrolled robot', {
  type: 'object',
  required: ['format', 'version', 'robot', 'tokenSha256', 'enrolledAt'],
  properties: {
    format: { const: 'holdfast-ground-robot', description: 'holdfast-ground-robot' },
    version: { const: 1, description: '1' },
    robot: { type: 'string', pattern: TOKEN_NAME.source, description: 'the name of a robot' },
    vin: { type: 'string', pattern: VIN.source, description: VIN_TEXT },
    tokenSha256: { type: 'string', pattern: '^[0-9a-f]{64}$', description: '64 hexadecimal digits' },
    enrolledAt: { type: 'string', description: 'a time' },
  },
});

/**
 * Where robots, people and epochs are kept: a folder for one process, or a database that several processes share.
 */
export type RegistryPlace = string | Queries;

export interface RegistryPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: (count: number) => Uint8Array;
}

/** The enrolled robots of a folder. */
export function robotFilesIn(folder: string, fs: FileSystem): TokenFiles<EnrolledRobot> {
  return new TokenFiles({
    ...{ fs, folder: join(folder, 'robots'), kind: robotFiles },
    nameOf: ({ robot }: EnrolledRobot) => robot,
  });
}

/** The enrolled robots of a database. */
export function robotTable(queries: Queries): TokenTable<EnrolledRobot> {
  return new TokenTable({
    ...{ queries, kind: 'robot' },
    read: ({ name: robot, sha256: tokenSha256, since, vin }) => ({
      ...{ format: 'holdfast-ground-robot', version: 1, robot, tokenSha256, enrolledAt: formatTime(since) },
      ...(vin === '' ? {} : { vin }),
    }),
    write: ({ enrolledAt, vin = '' }) => ({ role: '', vin, since: enrolledAt }),
  });
}

/** The epochs of a folder. */
export function epochFilesIn(folder: string, fs: FileSystem): EpochFiles {
  return new EpochFiles(join(folder, 'epochs'), fs);
}

/**
 * The robots that may connect to a ground, and the epochs it gave them. Other processes may enrol and revoke robots
 * while the ground runs.
 */
export class RobotRegistry {
  readonly #robots: NamedTokens<EnrolledRobot>;
  readonly #epochs: Epochs;
  readonly #ports: RegistryPorts;

  /** @param place - A folder is created when it is first written; a database has the ground's schema. */
  constructor(place: RegistryPlace, ports: RegistryPorts) {
    const { fs, random } = ports;
    const isFolder = typeof place === 'string';
    const store = isFolder ? robotFilesIn(place, fs) : robotTable(place);
    this.#robots = new NamedTokens({ random, store, what: 'robot' });
    this.#epochs = isFolder ? epochFilesIn(place, fs) : new EpochTable(place);
    this.#ports = ports;
  }

  /**
   * Lets a robot connect, and returns its token, which is not kept. A robot that was enrolled before gets a new
   * token; the old one is no longer valid. Throws `REQUEST_INVALID` for a name or a VIN that is not allowed, or that is
   * bound to another robot.
   *
   * @param vin - To bind to the robot. Default: the one that is bound to it, if any. Empty: none.
   */
  async enrol(robot: string, vin?: string): Promise<string> {
    const enrolledAt = formatTime(this.#ports.clock.now());
    const bound = vin ?? (await this.#vinOf(robot));
    if (vin !== undefined && vin !== '') await this.#checkFree(vin, robot);
    const token = this.#robots.issue(robot, (tokenSha256) => ({
      ...{ format: 'holdfast-ground-robot' as const, version: 1 as const, robot, tokenSha256, enrolledAt },
      ...(bound === '' ? {} : { vin: bound }),
    }));
    return await token.catch((error: unknown) => {
      // Another process was faster.
      throw isUniqueViolation(error) ? vinTaken(bound, 'another robot') : error;
    });
  }

  /** Of a robot that was enrolled before; a damaged file is replaced. */
  async #vinOf(robot: string): Promise<string> {
    if (!TOKEN_NAME.test(robot)) return '';
    const found = await this.#robots.find(robot).catch(() => undefined);
    return found?.vin ?? '';
  }

  async #checkFree(vin: string, robot: string): Promise<void> {
    if (!isVin(vin)) throw vinRefused(vin, VIN_TEXT);
    const holder = (await this.boundVins()).robotOf(vin);
    if (holder !== undefined && holder !== robot) throw vinTaken(vin, holder);
  }

  /** The VINs that are bound to robots now. */
  async boundVins(): Promise<BoundVins> {
    return new BoundVins(await this.#robots.list());
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
    return (await this.find(token))?.robot;
  }

  /** The same, with what it was enrolled with. */
  find(token: string): Promise<EnrolledRobot | undefined> {
    return this.#robots.admit(token);
  }

  /** A number that no connection of the robot had before, larger than all of those. Durable when this resolves. */
  nextEpoch(robot: string): Promise<number> {
    return this.#epochs.next(robot);
  }

  /** Of each robot the newest epoch that any process of this ground has given. */
  newestEpochs(robots: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#epochs.newest(robots);
  }
}

function vinRefused(vin: string, allowed: string): HoldfastError {
  return new HoldfastError('REQUEST_INVALID', `the VIN "${vin}", allowed: ${allowed}`, { facts: { vin } });
}

function vinTaken(vin: string, holder: string): HoldfastError {
  return vinRefused(
    vin,
    `one that is not bound to ${holder}: enrol that robot again without it, or revoke it, first`,
  );
}
