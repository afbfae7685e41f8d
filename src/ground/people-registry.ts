import { join } from 'node:path';
import { formatTime } from '../core/clock.js';
import { documentKind } from '../core/documents/document.js';
import { HoldfastError } from '../core/errors.js';
import type { AccessRole } from '../monitors/http/access.js';
import type { FileSystem } from '../core/file-system.js';
import type { Queries } from './database/database.js';
import { NamedTokens, TOKEN_NAME } from './named-tokens.js';
import type { RegistryPlace, RegistryPorts } from './robot-registry.js';
import { TokenFiles } from './token-files.js';
import { TokenTable } from './token-table.js';

export const roles = ['viewer', 'operator', 'admin'] as const satisfies readonly AccessRole[];

/** A person or a program that may ask the ground: `users/<name>.json` in its folder, or a row of `tokens`. */
export interface GroundUser {
  readonly format: 'holdfast-ground-user';
  readonly version: 1;
  readonly user: string;
  readonly role: AccessRole;
  readonly tokenSha256: string;
  /** ISO 8601. */
  readonly addedAt: string;
}

const userFiles = documentKind<GroundUser>('user of the ground', {
  type: 'object',
  required: ['format', 'version', 'user', 'role', 'tokenSha256', 'addedAt'],
  properties: {
    format: { const: 'holdfast-ground-user', description: 'holdfast-ground-user' },
    version: { const: 1, description: '1' },
    user: { type: 'string', pattern: TOKEN_NAME.source, description: 'the name of a user' },
    role: { enum: roles, description: roles.join(', ') },
    tokenSha256: { type: 'string', pattern: '^[0-9a-f]{64}$', description: '64 hexadecimal digits' },
    addedAt: { type: 'string', description: 'a time' },
  },
});

/** The users of a folder. */
export function userFilesIn(folder: string, fs: FileSystem): TokenFiles<GroundUser> {
  return new TokenFiles({
    ...{ fs, folder: join(folder, 'users'), kind: userFiles },
    nameOf: ({ user }: GroundUser) => user,
  });
}

/** The users of a database. */
export function userTable(queries: Queries): TokenTable<GroundUser> {
  return new TokenTable({
    ...{ queries, kind: 'user' },
    read: ({ name: user, role, sha256: tokenSha256, since }) => ({
      ...{ format: 'holdfast-ground-user', version: 1, user, tokenSha256, addedAt: formatTime(since) },
      // The table refuses other roles.
      role: role as AccessRole,
    }),
    write: ({ role, addedAt }) => ({ role, vin: '', since: addedAt }),
  });
}

/** The people who may ask a ground, with their roles. */
export class PeopleRegistry {
  readonly #users: NamedTokens<GroundUser>;
  readonly #ports: RegistryPorts;

  /** @param place - A folder is created when it is first written; a database has the ground's schema. */
  constructor(place: RegistryPlace, ports: RegistryPorts) {
    const { fs, random } = ports;
    this.#ports = ports;
    const store = typeof place === 'string' ? userFilesIn(place, fs) : userTable(place);
    this.#users = new NamedTokens({ random, store, what: 'user' });
  }

  /**
   * Adds a user, or gives one another role, and returns the new token, which is not kept. Throws `REQUEST_INVALID`
   * for a name or a role that is not allowed.
   */
  async add(user: string, role: string): Promise<string> {
    const known = roles.find((one) => one === role);
    if (known === undefined) {
      const message = `role "${role}" of user ${user}, allowed: ${roles.join(', ')}`;
      throw new HoldfastError('REQUEST_INVALID', message, { facts: { user, role } });
    }
    const addedAt = formatTime(this.#ports.clock.now());
    return await this.#users.issue(user, (tokenSha256) => ({
      ...{ format: 'holdfast-ground-user', version: 1, user, role: known, tokenSha256, addedAt },
    }));
  }

  /** Ends the rights of a user. False: there is no such user. */
  revoke(user: string): Promise<boolean> {
    return this.#users.revoke(user);
  }

  /** In the order of their names. */
  list(): Promise<readonly GroundUser[]> {
    return this.#users.list();
  }

  /** The user that a token belongs to; undefined: the token is not valid. */
  admit(token: string): Promise<GroundUser | undefined> {
    return this.#users.admit(token);
  }
}
