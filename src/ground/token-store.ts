/** What is kept of a token. */
export interface TokenDocument {
  /** SHA-256 of the token, hexadecimal. The token itself is not kept: it has 256 random bits. */
  readonly tokenSha256: string;
}

/** Documents of tokens by name. Other processes may change them at any time. */
export interface TokenStore<T extends TokenDocument> {
  /** Durable when this resolves. Replaces an earlier document of the name. */
  put(name: string, document: T): Promise<void>;
  /** False: there is no such name. */
  remove(name: string): Promise<boolean>;
  find(name: string): Promise<T | undefined>;
  /** In the order of the names. */
  list(): Promise<readonly T[]>;
}
