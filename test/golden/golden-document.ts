import * as fs from 'node:fs/promises';
import { join } from 'node:path';

/** One kind of document: what it says, how today's version writes it into a folder, and how it reads it back. */
export interface GoldenDocument {
  /** Folder of the format below `test/golden/`. */
  readonly format: string;
  /** The file in it. */
  readonly file: string;
  readonly value: unknown;
  /** Writes the file into the folder, with the code that writes it in the product. */
  write(folder: string): Promise<void>;
  read(folder: string): Promise<unknown>;
}

/** A document that is a text: one function writes it, one reads it. */
export function textDocument<T>(
  format: string,
  file: string,
  value: T,
  encode: (value: T) => string,
  decode: (text: string, name: string) => unknown,
): GoldenDocument {
  return {
    ...{ format, file, value },
    write: (folder) => fs.writeFile(join(folder, file), encode(value)),
    read: async (folder) => decode(await fs.readFile(join(folder, file), 'utf8'), file),
  };
}
