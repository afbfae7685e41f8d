import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { systemCode } from '../../core/errors.js';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
};
const FILES_MAX = 1_000;

export interface StaticFile {
  readonly contentType: string;
  readonly bytes: number;
  readonly etag: string;
  /** Its name changes with its content: it may be cached for ever. */
  readonly isImmutable: boolean;
  open(): NodeJS.ReadableStream;
}

/**
 * The files of the page. The folder is listed once, and only listed files are served, by exact name: no
 * spelling of a path can leave it.
 */
export class StaticFiles {
  /** A server without pages. */
  static readonly none = new StaticFiles(new Map());

  readonly #files: ReadonlyMap<string, StaticFile>;

  private constructor(files: ReadonlyMap<string, StaticFile>) {
    this.#files = files;
  }

  /** Empty if the folder does not exist. */
  static async list(folder: string): Promise<StaticFiles> {
    const files = new Map<string, StaticFile>();
    let names: string[];
    try {
      names = await readdir(folder, { recursive: true });
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') names = [];
      else throw error;
    }
    for (const name of names.sort().slice(0, FILES_MAX)) {
      const path = join(folder, name);
      const found = await stat(path);
      const contentType = types[extname(name)];
      if (!found.isFile() || contentType === undefined) continue;
      files.set(`/${name}`, {
        contentType,
        bytes: found.size,
        etag: `"${found.size.toString(16)}-${Math.round(found.mtimeMs).toString(16)}"`,
        isImmutable: /[.-][0-9A-Za-z_]{8,}\.[a-z0-9]+$/.test(name) && extname(name) !== '.html',
        open: () => createReadStream(path),
      });
    }
    return new StaticFiles(files);
  }

  /** The file at a path of the address; `/` is `/index.html`. */
  at(path: string): StaticFile | undefined {
    return this.#files.get(path === '/' ? '/index.html' : path);
  }
}
