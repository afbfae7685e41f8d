import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { mcapFixture } from './mcap-fixtures.js';

/** One file of the conformance suite. */
export interface ConformanceFile {
  /** What is in it: `OneMessage`, `TenMessages`, ... */
  readonly group: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly messages: number;
}

const messagesOf: Readonly<Record<string, number>> = {
  NoData: 0,
  OneMessage: 1,
  OneSchemalessMessage: 1,
  TenMessages: 10,
  OneAttachment: 0,
  OneMetadata: 0,
};

const BLOCK_BYTES = 512;

/** The 416 files of test/fixtures/mcap/conformance.tgz. */
export async function conformanceFiles(): Promise<ConformanceFile[]> {
  const tar = gunzipSync(await readFile(mcapFixture('conformance.tgz')));
  const files: ConformanceFile[] = [];
  for (let at = 0; at + BLOCK_BYTES <= tar.byteLength && tar[at] !== 0;) {
    const field = (from: number, length: number): string =>
      tar.toString('latin1', at + from, at + from + length).replace(/\0.*$/s, '');
    const size = parseInt(field(124, 12), 8);
    const [group = '', name = ''] = field(0, 100).split('/').slice(-2);
    const from = at + BLOCK_BYTES;
    if (name.endsWith('.mcap')) {
      files.push({ group, name, bytes: tar.subarray(from, from + size), messages: messagesOf[group]! });
    }
    at = from + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return files;
}
