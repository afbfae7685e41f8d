import { createHash, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../core/errors.js';
import type { TokenDocument, TokenStore } from './token-store.js';

/** Names that are also file names. */
export const TOKEN_NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/;
const SECRET_BYTES = 32;

export interface NamedTokensParts<T extends TokenDocument> {
  readonly random: (count: number) => Uint8Array;
  readonly store: TokenStore<T>;
  /** How errors call them: `robot`. */
  readonly what: string;
}

/** Tokens by name. Other processes may issue and revoke them at any time. */
export class NamedTokens<T extends TokenDocument> {
  readonly #parts: NamedTokensParts<T>;

  constructor(parts: NamedTokensParts<T>) {
    this.#parts = parts;
  }

  /**
   * Makes a token; an earlier one of the same name is no longer valid. Throws `REQUEST_INVALID` for a name that is
   * not allowed.
   */
  async issue(name: string, describe: (tokenSha256: string) => T): Promise<string> {
    const { random, store, what } = this.#parts;
    if (!TOKEN_NAME.test(name)) {
      throw new HoldfastError(
        'REQUEST_INVALID',
        `"${name}" is no name of a ${what}, allowed: 1 to 64 of A-Z a-z 0-9 _ - and, inside, a dot`,
        { facts: { [what]: name } },
      );
    }
    const token = `${name}:${Buffer.from(random(SECRET_BYTES)).toString('base64url')}`;
    await store.put(name, describe(digestOf(token).toString('hex')));
    return token;
  }

  /** False: there is no such name. */
  async revoke(name: string): Promise<boolean> {
    return TOKEN_NAME.test(name) && (await this.#parts.store.remove(name));
  }

  /** Undefined: there is no such name. */
  find(name: string): Promise<T | undefined> {
    return this.#parts.store.find(name);
  }

  /** In the order of the names. */
  list(): Promise<readonly T[]> {
    return this.#parts.store.list();
  }

  /** The document of a token; undefined: the token is not valid. */
  async admit(token: string): Promise<T | undefined> {
    const name = token.slice(0, Math.max(0, token.indexOf(':')));
    if (!TOKEN_NAME.test(name)) return undefined;
    const found = await this.#parts.store.find(name);
    if (found === undefined) return undefined;
    return timingSafeEqual(digestOf(token), Buffer.from(found.tokenSha256, 'hex')) ? found : undefined;
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
