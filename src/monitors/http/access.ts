import { createHash, timingSafeEqual } from 'node:crypto';
import { present } from '../../core/present.js';

/** Permission of a client: read everything, also control, also manage (a ground only). */
export type AccessRole = 'viewer' | 'operator' | 'admin';

/** Who a client is. */
export interface Identity {
  readonly name: string;
  readonly role: AccessRole;
}

/** Who may do what at a server. */
export interface AccessPolicy {
  /** Without: every client is {@link anonymous}. */
  readonly needsToken: boolean;
  readonly anonymous: Identity;
  /** Undefined: the token is not known. */
  identify(token: string): Identity | undefined | Promise<Identity | undefined>;
}

export interface AccessToken {
  readonly role: 'viewer' | 'operator';
  readonly token: string;
}

export const TOKEN_MIN_CHARS = 16;
const TOKENS_MAX = 100;

/** A token file is invalid; the message never contains a token. */
export class TokenFileError extends Error {}

/** Parses `operator TOKEN` or `viewer TOKEN` per line; `#` begins a comment. Throws {@link TokenFileError}. */
export function parseTokenFile(text: string): AccessToken[] {
  const tokens: AccessToken[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line.replace(/#.*$/, '').trim().split(/\s+/);
    if (words[0] === '') continue;
    const [role, token] = words;
    const at = `line ${index + 1}`;
    if (words.length !== 2 || (role !== 'viewer' && role !== 'operator')) {
      throw new TokenFileError(`${at}: not "viewer TOKEN" or "operator TOKEN"`);
    }
    if (
      !/^[\x21-\x7e]+$/.test(present(token)) ||
      present(token).length < TOKEN_MIN_CHARS ||
      present(token).length > 200
    ) {
      throw new TokenFileError(`${at}: the token must have ${TOKEN_MIN_CHARS} to 200 characters of ASCII`);
    }
    tokens.push({ role, token: present(token) });
  }
  if (tokens.length === 0) throw new TokenFileError('it holds no token');
  if (tokens.length > TOKENS_MAX) throw new TokenFileError(`it holds more than ${TOKENS_MAX} tokens`);
  return tokens;
}

/** Permissions. Without tokens every client is an operator (on loopback only). */
export class Access implements AccessPolicy {
  readonly anonymous: Identity = { name: 'local', role: 'operator' };
  readonly #known: readonly { readonly role: AccessRole; readonly digest: Buffer }[];

  constructor(tokens: readonly AccessToken[]) {
    this.#known = tokens.map(({ role, token }) => ({ role, digest: digestOf(token) }));
  }

  get needsToken(): boolean {
    return this.#known.length > 0;
  }

  identify(token: string): Identity | undefined {
    const role = this.roleOf(token);
    return role === undefined ? undefined : { name: role, role };
  }

  /**
   * The role of a token, `undefined` for an unknown one. Every known token is compared in constant time by
   * its digest, so the duration reveals nothing about them.
   */
  roleOf(token: string): AccessRole | undefined {
    const digest = digestOf(token);
    let role: AccessRole | undefined;
    for (const one of this.#known) if (timingSafeEqual(one.digest, digest)) role ??= one.role;
    return role;
  }
}

const ranks: Readonly<Record<AccessRole, number>> = { viewer: 1, operator: 2, admin: 3 };

export function mayDo(role: AccessRole, needed: AccessRole): boolean {
  return ranks[role] >= ranks[needed];
}

/** The token of an `Authorization: Bearer` header. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]{1,200})$/i.exec(header ?? '')?.[1];
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
