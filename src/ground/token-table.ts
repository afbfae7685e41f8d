import type { Queries } from './database/database.js';
import type { TokenDocument, TokenStore } from './token-store.js';

/** A row of the table `tokens`. */
export interface TokenRow {
  readonly name: string;
  /** Of a person; empty for a robot. */
  readonly role: string;
  /** That a robot is bound to; empty: none, or a person. */
  readonly vin: string;
  readonly sha256: string;
  /** When the token was made, nanoseconds since the Unix epoch. */
  readonly since: bigint;
}

export interface TokenTableParts<T extends TokenDocument> {
  readonly queries: Queries;
  /** Whose tokens they are. */
  readonly kind: 'robot' | 'user';
  readonly read: (row: TokenRow) => T;
  readonly write: (document: T) => { readonly role: string; readonly vin: string; readonly since: string };
}

const FREE_VIN =
  "CASE WHEN EXISTS (SELECT FROM tokens WHERE vin = $6 AND revoked_at IS NULL) THEN '' ELSE $6 END";

/** Documents of tokens in the ground's database, for any number of processes. */
export class TokenTable<T extends TokenDocument> implements TokenStore<T> {
  readonly #parts: TokenTableParts<T>;

  constructor(parts: TokenTableParts<T>) {
    this.#parts = parts;
  }

  async put(name: string, document: T): Promise<void> {
    await this.#insert(
      name,
      document,
      '$6',
      'DO UPDATE SET role = excluded.role, vin = excluded.vin, sha256 = excluded.sha256, since = excluded.since, revoked_at = NULL',
    );
  }

  /**
   * Only for a name that never had a token here: a revoked token does not come back. A VIN that is bound to another
   * robot here stays with that one.
   */
  async putIfNew(name: string, document: T): Promise<void> {
    await this.#insert(name, document, FREE_VIN, 'DO NOTHING');
  }

  async remove(name: string): Promise<boolean> {
    const { queries, kind } = this.#parts;
    const rows = await queries.query(
      'UPDATE tokens SET revoked_at = now() WHERE kind = $1 AND name = $2 AND revoked_at IS NULL RETURNING name',
      [kind, name],
    );
    return rows.length > 0;
  }

  async find(name: string): Promise<T | undefined> {
    const [row] = await this.#select('AND name = $2', [name]);
    return row;
  }

  async list(): Promise<readonly T[]> {
    return await this.#select('', []);
  }

  async #select(condition: string, values: readonly string[]): Promise<readonly T[]> {
    const { queries, kind, read } = this.#parts;
    const rows = await queries.query<TokenRow>(
      `SELECT name, role, vin, sha256, since FROM tokens WHERE kind = $1 AND revoked_at IS NULL ${condition} ` +
        'ORDER BY name COLLATE "C"',
      [kind, ...values],
    );
    return rows.map(read);
  }

  async #insert(name: string, document: T, vin: string, conflict: string): Promise<void> {
    const { queries, kind, write } = this.#parts;
    const { role, since, vin: bound } = write(document);
    await queries.query(
      `INSERT INTO tokens (kind, name, role, sha256, since, vin) VALUES ($1, $2, $3, $4, $5, ${vin}) ` +
        `ON CONFLICT (kind, name) ${conflict}`,
      [kind, name, role, document.tokenSha256, since, bound],
    );
  }
}
