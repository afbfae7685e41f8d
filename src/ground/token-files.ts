import { join } from 'node:path';
import type { DocumentKind } from '../core/documents/document.js';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { TokenDocument, TokenStore } from './token-store.js';

export interface TokenFilesParts<T extends TokenDocument> {
  readonly fs: FileSystem;
  /** Created with the first token. */
  readonly folder: string;
  readonly kind: DocumentKind<T>;
  /** Whose token it is, from the document. */
  readonly nameOf: (document: T) => string;
}

/** Documents of tokens, each as a file `<name>.json`. */
export class TokenFiles<T extends TokenDocument> implements TokenStore<T> {
  readonly #parts: TokenFilesParts<T>;

  constructor(parts: TokenFilesParts<T>) {
    this.#parts = parts;
  }

  async put(name: string, document: T): Promise<void> {
    const { fs, folder } = this.#parts;
    await makeDirectoryDurably(fs, folder);
    await writeFileDurably(fs, this.fileOf(name), `${JSON.stringify(document, undefined, 2)}\n`);
  }

  async remove(name: string): Promise<boolean> {
    if ((await this.find(name)) === undefined) return false;
    await this.#parts.fs.rm(this.fileOf(name), { force: true });
    return true;
  }

  async list(): Promise<readonly T[]> {
    const { fs, folder, nameOf } = this.#parts;
    const files = await fs.readdir(folder).catch(() => [] as string[]);
    const found = await Promise.all(
      files.filter((file) => file.endsWith('.json')).map((file) => this.find(file.slice(0, -'.json'.length))),
    );
    return found.filter((one) => one !== undefined).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  }

  async find(name: string): Promise<T | undefined> {
    const { fs, kind, nameOf } = this.#parts;
    const path = this.fileOf(name);
    const bytes = await readFileIfPresent(fs, path);
    if (bytes === undefined) return undefined;
    const found = kind.parse(bytes.toString('utf8'), path);
    // On a disk that ignores case, one name would open the file of another.
    return nameOf(found) === name ? found : undefined;
  }

  fileOf(name: string): string {
    return join(this.#parts.folder, `${name}.json`);
  }
}
