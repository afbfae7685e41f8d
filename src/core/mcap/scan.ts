import { HoldfastError } from '../errors.js';
import { messageAt, parseBlock, type Block, type McapMessage } from './block.js';
import { chunkObstacle, decodeChunk } from './chunk.js';
import { loadDecompressors, type Decompressors } from './decompress.js';
import { ZSTD_MAGIC } from './frames.js';
import { Definitions } from './definitions.js';
import { unpacked } from './message-compression.js';
import { boundedReadable, defaultMcapLimits, readAhead, type McapLimits, type Readable } from './readable.js';
import { CHUNK_HEADER_MAX_BYTES, RecordProbe, type RecordHead } from './record-probe.js';
import {
  checkForm,
  isUnknown,
  MAGIC,
  Op,
  parseChunkHeader,
  parseHeader,
  parseMetadata,
  RECORD_HEADER_BYTES,
  RecordError,
  type ChunkHeader,
  type MetadataRecord,
} from './records.js';
import { ScanLedger, type ScanReport, type UnreadableRange } from './scan-report.js';
import { summaryDefinitions } from './summary.js';
import { Turns } from './turns.js';

export interface ScanOptions {
  readonly limits?: McapLimits;
  /** Called for every metadata record, in file order. */
  readonly onMetadata?: (record: MetadataRecord, offset: number) => void;
  /** Called for every attachment, in file order, with the place of its record in bytes. */
  readonly onAttachment?: (offset: number, length: number) => void;
  readonly signal?: AbortSignal;
}

/** Some adjacent messages of the file. */
export interface ScannedBlock extends Block {
  readonly kind: 'chunk' | 'plain';
  /** Where the chunk record, or the first of the plain records, begins. */
  readonly at: number;
  /** Bytes of the record, or of the plain records. */
  readonly length: number;
  /** Whether a CRC was checked. */
  readonly checked: boolean;
  /** The file ends within this chunk. */
  readonly cut: boolean;
  readonly header?: ChunkHeader;
}

/** Plain records are grouped up to this many bytes. */
const PLAIN_RUN_BYTES = 1024 * 1024;

/**
 * Reads an MCAP from beginning to end without trusting it. It needs no index and no footer. It leaves damaged
 * parts out and accounts for them byte by byte.
 *
 * - A chunk with a CRC gives its messages only if the CRC matches.
 * - A damaged record is skipped by its length if a record begins after it. Otherwise the next chunk (its two
 *   lengths must agree) or other record is searched for.
 * - If the end of the file cuts an uncompressed chunk, its whole messages are given.
 *
 * One scan reads once: call `blocks()` or `messages()`, then `report()`. Memory: one chunk, compressed and
 * decompressed, and one window.
 */
export class McapScan {
  readonly #readable: Readable;
  readonly #limits: McapLimits;
  readonly #options: ScanOptions;
  readonly #ledger = new ScanLedger();
  #definitions = new Definitions();
  #decompressors: Decompressors = new Map();
  #probe: RecordProbe;
  #size = 0;
  readonly #turns = new Turns();

  constructor(
    readable: Readable,
    readonly name: string,
    options: ScanOptions = {},
  ) {
    this.#options = options;
    this.#limits = options.limits ?? defaultMcapLimits;
    const most = Math.max(this.#limits.maxChunkBytes, this.#limits.maxRecordBytes) + CHUNK_HEADER_MAX_BYTES;
    this.#readable = readAhead(boundedReadable(readable, name, most));
    this.#probe = new RecordProbe(this.#readable, 0, this.#limits, () => this.#definitions);
  }

  /** Complete once the reading has ended; before that, the state so far. */
  report(): ScanReport {
    return this.#ledger.report();
  }

  /** Every channel found so far. */
  get definitions(): Definitions {
    return this.#definitions;
  }

  /** The readable messages in file order; payloads that rosbag2 compressed are decompressed. */
  async *messages(): AsyncGenerator<McapMessage, void, void> {
    for await (const block of this.blocks()) {
      for (let i = 0; i < block.offsets.length; i++) {
        const message = this.#unpacked(messageAt(block, i));
        if (message !== undefined) yield message;
      }
    }
  }

  #unpacked(message: McapMessage): McapMessage | undefined {
    try {
      return unpacked(message, this.#limits.maxRecordBytes);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.#ledger.messages--;
      this.#ledger.messagesCompressed++;
      return undefined;
    }
  }

  /**
   * The readable blocks in file order. Throws `MCAP_UNREADABLE` only if this is not an MCAP, and any error of
   * the reading itself.
   */
  async *blocks(): AsyncGenerator<ScannedBlock, void, void> {
    this.#decompressors = await loadDecompressors();
    this.#size = Number(await this.#readable.size());
    this.#ledger.bytesTotal = this.#size;
    this.#probe = new RecordProbe(this.#readable, this.#size, this.#limits, () => this.#definitions);
    let at = await this.#start();
    this.#definitions = new Definitions(
      await summaryDefinitions(this.#probe.readable, this.name, this.#limits),
    );
    while (at < this.#size) {
      this.#options.signal?.throwIfAborted();
      const { next, block } = await this.#step(at);
      at = next;
      if (block === undefined) continue;
      this.#ledger.messages += block.offsets.length;
      this.#ledger.messagesUndefined += block.undefinedMessages;
      this.#ledger.recordsPassedOver += block.passedOver;
      if (!block.checked) this.#ledger.messagesUnchecked += block.offsets.length;
      yield block;
      await this.#turns.worked(block.offsets.length, block.records.byteLength);
      this.#options.signal?.throwIfAborted();
    }
  }

  /** Checks the magic; a damaged one is accepted if a header record follows. */
  async #start(): Promise<number> {
    const begin = await this.#bytes(0, Math.min(MAGIC.length, this.#size));
    if (begin.byteLength === MAGIC.length) {
      if (Buffer.compare(begin, MAGIC) === 0) return MAGIC.length;
      const head = await this.#probe.head(MAGIC.length);
      if (head?.opcode === Op.header && (await this.#probe.hasForm(MAGIC.length, head))) {
        this.#ledger.unreadable(0, MAGIC.length, 'a damaged magic');
        return MAGIC.length;
      }
    }
    throw notMcap(this.name, this.#size, begin);
  }

  async #step(at: number): Promise<{ next: number; block?: ScannedBlock }> {
    const head = await this.#probe.head(at);
    if (head === undefined) return this.#damaged(at, undefined, 'a cut record header');
    // A chunk with a damaged opcode is still a chunk: its two lengths agree, and its CRC decides.
    if (head.opcode === Op.chunk || (await this.#probe.isMarredChunk(at, head))) return this.#chunk(at, head);
    if (head.next > this.#size) {
      const there = this.#size - at - RECORD_HEADER_BYTES;
      return this.#damaged(at, undefined, `a record cut after ${there} of ${head.length} bytes`);
    }
    switch (head.opcode) {
      case Op.schema:
      case Op.channel:
      case Op.message:
        return this.#plain(at, head);
      case Op.attachment:
        return this.#attachment(at, head);
      case Op.footer:
        return this.#footer(at, head);
      default:
        return this.#other(at, head);
    }
  }

  async #attachment(at: number, head: RecordHead): Promise<{ next: number }> {
    if (!(await this.#probe.hasForm(at, head))) return this.#damaged(at, head.next, 'a damaged attachment');
    this.#ledger.attachments++;
    this.#options.onAttachment?.(at, head.next - at);
    return { next: head.next };
  }

  async #other(at: number, head: RecordHead): Promise<{ next: number }> {
    if (isUnknown(head.opcode)) {
      if (!(await this.#probe.follows(head.next))) {
        return this.#damaged(at, head.next, `a record of type 0x${head.opcode.toString(16)} without end`);
      }
      this.#ledger.recordsPassedOver++;
      return { next: head.next };
    }
    if (head.length > this.#limits.maxRecordBytes) {
      return this.#damaged(at, head.next, `a record of ${head.length} bytes`);
    }
    try {
      const content = await this.#bytes(at + RECORD_HEADER_BYTES, head.length);
      const left = checkForm(head.opcode, content);
      // Either fields of a later version of the format, or a damaged length that hides the records that
      // follow.
      if (left > 0 && !(await this.#probe.follows(head.next)))
        throw new RecordError(`${left} bytes too many`);
      if (head.opcode === Op.metadata) {
        this.#ledger.metadataRecords++;
        this.#options.onMetadata?.(parseMetadata(content), at);
      } else if (head.opcode === Op.header) {
        Object.assign(this.#ledger, parseHeader(content));
      } else if (head.opcode === Op.dataEnd) {
        this.#ledger.dataEnd = head.next;
      }
      return { next: head.next };
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return this.#damaged(at, head.next, `a damaged record (${error.message})`);
    }
  }

  async #footer(at: number, head: RecordHead): Promise<{ next: number }> {
    const end = head.next + MAGIC.length;
    if (head.length !== 20 || end > this.#size || !(await this.#probe.magicAt(head.next))) {
      return this.#damaged(at, head.next, 'a damaged footer');
    }
    this.#ledger.complete = this.#ledger.dataEnd !== undefined;
    this.#ledger.followed = await this.#probe.magicAt(end);
    const what = this.#ledger.followed ? 'another MCAP' : 'something';
    this.#ledger.unreadable(end, this.#size, `${what} behind the end of the MCAP`);
    return { next: this.#size };
  }

  /** Records outside of chunks: adjacent ones form one block. */
  async #plain(at: number, first: RecordHead): Promise<{ next: number; block?: ScannedBlock }> {
    let end = first.next;
    for (let head = await this.#probe.head(end); head !== undefined; head = await this.#probe.head(end)) {
      const definition = head.opcode === Op.schema || head.opcode === Op.channel;
      if (!definition && head.opcode !== Op.message) break;
      if (head.next > this.#size || head.next - at > PLAIN_RUN_BYTES) break;
      if (head.opcode === Op.message && (await this.#probe.isChunk(end, head))) break;
      end = head.next;
    }
    if (end - at > this.#limits.maxRecordBytes)
      return this.#damaged(at, end, `a record of ${end - at} bytes`);
    const block = parseBlock(await this.#bytes(at, end - at), this.#definitions, {
      define: this.#definitions,
    });
    this.#probe.sawPlain();
    const done = { next: end, block: this.#block(block, { kind: 'plain', at, length: block.goodBytes }) };
    if (block.problem === undefined) return done;
    const badAt = at + block.goodBytes;
    const bad = await this.#probe.head(badAt);
    return { ...done, ...(await this.#damaged(badAt, bad?.next, block.problem)) };
  }

  async #chunk(at: number, head: RecordHead): Promise<{ next: number; block?: ScannedBlock }> {
    const contentAt = at + RECORD_HEADER_BYTES;
    let header: ChunkHeader;
    try {
      const there = Math.min(head.length, CHUNK_HEADER_MAX_BYTES, this.#size - contentAt);
      header = parseChunkHeader(await this.#bytes(contentAt, there));
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return this.#damaged(at, head.next, 'a chunk with a damaged head');
    }
    const recordsAt = contentAt + header.prefixBytes;
    const outer = head.length - header.prefixBytes;
    const inner = Number(header.recordsBytes);
    // A later version of the format may have added fields after the records. A zeroed head does not count as
    // that: it would hide the whole chunk.
    const padded =
      inner > 0 && inner < outer && head.next <= this.#size && (await this.#probe.follows(head.next));
    if (outer === inner && head.next > this.#size) return this.#cutChunk(at, recordsAt, header);
    // If the two lengths differ, one of them may still be right: only the CRC can decide.
    const lengths = outer === inner || padded ? [inner] : header.crc === 0 ? [] : [outer, inner];
    let reason = 'a chunk whose two lengths disagree';
    for (const length of lengths) {
      if (length < 0 || recordsAt + length > this.#size) continue;
      const obstacle = chunkObstacle(header, length, this.#decompressors, this.#limits);
      if (obstacle !== undefined) {
        reason = obstacle;
        continue;
      }
      try {
        const bytes = await this.#bytes(recordsAt, length);
        const records = await decodeChunk(header, bytes, this.#decompressors);
        const next = padded ? head.next : recordsAt + length;
        return this.#wholeChunk(at, recordsAt, next, header, records);
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        reason = error.message;
      }
    }
    return this.#damaged(at, head.next, reason);
  }

  #wholeChunk(
    at: number,
    recordsAt: number,
    next: number,
    header: ChunkHeader,
    records: Uint8Array,
  ): { next: number; block: ScannedBlock } {
    const checked = header.crc !== 0;
    const block = parseBlock(records, this.#definitions, { define: this.#definitions });
    this.#probe.sawChunk();
    if (block.problem !== undefined) {
      const reason = `${block.problem}, in a chunk of which ${block.offsets.length} messages were read`;
      const from = header.compression === '' ? recordsAt + block.goodBytes : at;
      this.#ledger.unreadable(from, next, reason);
    }
    return {
      next,
      block: this.#block(block, { kind: 'chunk', at, length: next - at, checked, header }),
    };
  }

  /** The file ends within this chunk: take the whole messages if it is not compressed. */
  async #cutChunk(
    at: number,
    recordsAt: number,
    header: ChunkHeader,
  ): Promise<{ next: number; block?: ScannedBlock }> {
    const there = Math.max(0, this.#size - recordsAt);
    const reason = `a chunk cut after ${there} of ${header.recordsBytes} bytes`;
    if (header.compression !== '' || there === 0 || there > this.#limits.maxChunkBytes) {
      return this.#damaged(at, undefined, reason);
    }
    const block = parseBlock(await this.#bytes(recordsAt, there), this.#definitions, {
      define: this.#definitions,
    });
    this.#probe.sawChunk();
    this.#ledger.unreadable(block.goodBytes === 0 ? at : recordsAt + block.goodBytes, this.#size, reason);
    return {
      next: this.#size,
      block: this.#block(block, { kind: 'plain', at: recordsAt, length: block.goodBytes, cut: true }),
    };
  }

  #block(
    block: Block,
    {
      checked = false,
      cut = false,
      ...place
    }: Partial<ScannedBlock> & Pick<ScannedBlock, 'kind' | 'at' | 'length'>,
  ): ScannedBlock {
    return { ...block, ...place, checked, cut };
  }

  /** Counts the bytes from `at` as unreadable, up to the record at `next`, or up to one found by a search. */
  async #damaged(at: number, next: number | undefined, reason: string): Promise<{ next: number }> {
    if (next !== undefined && next <= this.#size && (await this.#probe.isBoundary(next))) {
      this.#ledger.unreadable(at, next, reason);
      return { next };
    }
    const found = await this.#probe.search(at + 1, this.#options.signal);
    this.#ledger.unreadable(at, found, reason);
    return { next: found };
  }

  async #bytes(at: number, length: number): Promise<Uint8Array> {
    return this.#readable.read(BigInt(at), BigInt(length));
  }
}

/** Scans `readable`; `name` (a path or key) appears in errors. */
export function scanMcap(readable: Readable, name: string, options: ScanOptions = {}): McapScan {
  return new McapScan(readable, name, options);
}

function notMcap(name: string, size: number, begin: Uint8Array): HoldfastError {
  const found = Buffer.from(begin).toString('hex').replace(/../g, '$& ').trim();
  const isZstd = begin.byteLength >= 4 && Buffer.from(begin).readUInt32LE(0) === ZSTD_MAGIC;
  const what =
    size === 0
      ? 'the file is empty'
      : isZstd
        ? 'it is compressed as a whole: decompress it with zstd -d'
        : size < MAGIC.length
          ? `the file has only ${size} bytes`
          : `it begins with ${found}, not with the MCAP magic 89 4d 43 41 50 30 0d 0a`;
  return new HoldfastError('MCAP_UNREADABLE', `${name} is not an MCAP: ${what}`, {
    facts: { name, size, begin: found, notMcap: true },
  });
}

export type { UnreadableRange };
