import { createHash, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import type { DocumentKind } from '../core/documents/document.js';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import { HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

/** Names that are also file names. */
export const TOKEN_NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/;
const SECRET_BYTES = 32;

/** A document beside a token. */
interface TokenDocument {
  /** SHA-256 of the token, hexadecimal. The token itself is not kept: it has 256 random bits. */
  readonly tokenSha256: string;
}

export interface NamedTokensParts<T extends TokenDocument> {
  readonly fs: FileSystem;
  readonly random: (count: number) => Uint8Array;
  readonly folder: string;
  readonly kind: DocumentKind<T>;
  /** Whose token it is, from the document. */
  readonly nameOf: (document: T) => string;
  /** How errors call them: `robot`. */
  readonly what: string;
}

/** Tokens by name, each as a file. Other processes may issue and revoke them at any time. */
export class NamedTokens<T extends TokenDocument> {
  readonly #parts: NamedTokensParts<T>;

  /** The folder is created with the first token. */
  constructor(parts: NamedTokensParts<T>) {
    this.#parts = parts;
  }

  /**
   * Makes a token; an earlier one of the same name is no longer valid. Throws `REQUEST_INVALID` for a name that is
   * not allowed.
   */
  async issue(name: string, describe: (tokenSha256: string) => T): Promise<string> {
    const { fs, random, folder, what } = this.#parts;
    if (!TOKEN_NAME.test(name)) {
      throw new HoldfastError(
        'REQUEST_INVALID',
        `"${name}" is no name of a ${what}, allowed: 1 to 64 of A-Z a-z 0-9 _ - and, inside, a dot`,
        { facts: { [what]: name } },
      );
    }
    const token = `${name}:${Buffer.from(random(SECRET_BYTES)).toString('base64url')}`;
    const document = describe(digestOf(token).toString('hex'));
    await makeDirectoryDurably(fs, folder);
    await writeFileDurably(fs, this.#fileOf(name), `${JSON.stringify(document, undefined, 2)}\n`);
    return token;
  }

  /** False: there is no such name. */
  async revoke(name: string): Promise<boolean> {
    if ((await this.#find(name)) === undefined) return false;
    await this.#parts.fs.rm(this.#fileOf(name), { force: true });
    return true;
  }

  /** In the order of the names. */
  async list(): Promise<readonly T[]> {
    const { fs, folder, nameOf } = this.#parts;
    const files = await fs.readdir(folder).catch(() => [] as string[]);
    const found = await Promise.all(
      files
        .filter((file) => file.endsWith('.json'))
        .map((file) => this.#find(file.slice(0, -'.json'.length))),
    );
    return found.filter((one) => one !== undefined).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  }

  /** The document of a token; undefined: the token is not valid. */
  async admit(token: string): Promise<T | undefined> {
    const found = await this.#find(token.slice(0, Math.max(0, token.indexOf(':'))));
    if (found === undefined) return undefined;
    return timingSafeEqual(digestOf(token), Buffer.from(found.tokenSha256, 'hex')) ? found : undefined;
  }

  async #find(name: string): Promise<T | undefined> {
    const { fs, kind, nameOf } = this.#parts;
    if (!TOKEN_NAME.test(name)) return undefined;
    const path = this.#fileOf(name);
    const bytes = await readFileIfPresent(fs, path);
    if (bytes === undefined) return undefined;
    const found = kind.parse(bytes.toString('utf8'), path);
    // On a disk that ignores case, one name would open the file of another.
    return nameOf(found) === name ? found : undefined;
  }

  #fileOf(name: string): string {
    return join(this.#parts.folder, `${name}.json`);
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
