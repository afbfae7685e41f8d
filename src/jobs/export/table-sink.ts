import { defined } from '../../core/defined.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { natsIdentity } from '../../core/nats-identity.js';
import { present } from '../../core/present.js';
import type { MessageHead } from '../../exporters/columns/head-columns.js';
import { MessageTable, type MessageKind } from '../../exporters/columns/message-table.js';
import { isParquetCodec, type TableSpec } from '../../exporters/format.js';
import { limits } from './export-options.js';
import type { ExportMessage, GroupSink, SinkContext, WindowResult } from './group-sink.js';
import { severalAtOnce } from './several-at-once.js';
import { TableFile, type ExportedFile } from './table-file.js';
import { Thinnings, type Thinning } from './thinning.js';
import { addTally, countLeftOver, newTally, tallyKey, type TopicTally } from './topic-tally.js';

/** Number of files fsynced at the same time: each waits mostly for the disk. */
const FINISHED_AT_ONCE = 16;

/** A channel of a robot, with its table. */
export interface TableChannel {
  readonly channel: McapChannel;
  readonly robot: string;
}

interface OpenTable {
  readonly table: MessageTable;
  readonly spec: TableSpec;
  /** A channel of the table, for its paths. */
  readonly sample: TableChannel;
  pendingBytes: number;
  firstTime: bigint;
  file: TableFile | undefined;
  /** Keys of the tallies of the file's content. */
  readonly holds: Set<string>;
}

interface ChannelState {
  readonly open: OpenTable;
  readonly add: (head: MessageHead, payload: Uint8Array) => string | undefined;
  readonly tally: TopicTally;
  readonly tallyKey: string;
  readonly thinning: Thinning;
}

/** Messages as rows of tables: one table per robot, topic or type, by the layout. */
export class TableSink implements GroupSink {
  readonly #tables = new Map<string, OpenTable>();
  readonly #states = new Map<string, WeakMap<McapChannel, ChannelState>>();
  readonly #thinnings: Thinnings;
  readonly #tallies = new Map<string, TopicTally>();
  #collected = 0;

  /** @param channels every channel that may come: their types decide the columns */
  constructor(
    readonly context: SinkContext,
    channels: readonly TableChannel[],
  ) {
    this.#thinnings = new Thinnings(context.options.every);
    const { layout } = context.options;
    const kinds = new Map<string, { sample: TableChannel; kinds: Map<string, MessageKind> }>();
    for (const one of channels) {
      const key = this.#keyOf(one);
      let known = kinds.get(key);
      if (known === undefined) kinds.set(key, (known = { sample: one, kinds: new Map() }));
      const { encoding, schema } = one.channel;
      const text = Buffer.from(schema.data).toString('latin1');
      known.kinds.set(JSON.stringify([encoding, schema.name, schema.encoding, text]), { encoding, schema });
    }
    for (const [key, one] of kinds) {
      const { format, raw, flatten, explode, compression, guardFormulas, payloads } = context.options;
      if (format === 'mcap') continue;
      // NumPy and TFRecord are flat too, and keep fixed arrays together.
      const flat = flatten || format === 'csv';
      const table = new MessageTable([...one.kinds.values()], {
        flatten: flat,
        raw,
        ...(layout.has('robot') ? { robot: one.sample.robot } : {}),
        ...(layout.has('topic') ? { topic: one.sample.channel.topic } : {}),
        ...defined({ payloads }),
      });
      const spec: TableSpec = {
        format,
        columns: table.columns,
        flatten: flat,
        ...(format === 'parquet' && isParquetCodec(compression) && { codec: compression }),
        ...defined({ explode, guardFormulas }),
      };
      const open = {
        table,
        spec,
        sample: one.sample,
        pendingBytes: 0,
        firstTime: 0n,
        file: undefined,
        holds: new Set<string>(),
      };
      this.#tables.set(key, open);
    }
  }

  /** The tables and how many versions of types each one unites. */
  tables(): readonly { readonly sample: TableChannel; readonly table: MessageTable }[] {
    return [...this.#tables.values()];
  }

  add({ message, robot }: ExportMessage): Promise<void> | undefined {
    const { channel, logTime, publishTime, sequence, data } = message;
    const state = this.#stateOf(channel, robot);
    const { tally, open } = state;
    if (!state.thinning.keeps(logTime)) {
      tally.thinned_out++;
      return undefined;
    }
    const before = open.table.rows;
    if (before === 0) open.firstTime = logTime;
    const identity = natsIdentity(channel, sequence);
    const reason = state.add(
      { logTime, publishTime, robot, topic: channel.topic, sequence, ...(identity && { identity }) },
      data,
    );
    if (reason !== undefined) {
      tally.reason ??= reason;
      if (open.table.rows === before) {
        tally.undecoded++;
        return undefined;
      }
      tally.kept_raw++;
    }
    countLeftOver(tally, open.table.leftOver);
    if (tally.messages++ === 0) open.holds.add(state.tallyKey);
    tally.first ??= String(logTime);
    tally.last = String(logTime);
    const bytes = data.byteLength + 64;
    open.pendingBytes += bytes;
    this.#collected += bytes;
    if (
      open.pendingBytes >= limits.batchBytes ||
      open.table.rows >= (this.context.options.rowGroupRows ?? limits.batchRows)
    )
      return this.#flush(open);
    if (this.#collected >= limits.collectedBytes) return this.#flush(this.#largest());
    return undefined;
  }

  async endWindow(): Promise<WindowResult> {
    const files = await severalAtOnce(this.#tables.values(), FINISHED_AT_ONCE, (open) => this.#finish(open));
    const tallies = [...this.#tallies.values()].map((tally) => ({ ...tally }));
    for (const tally of this.#tallies.values()) reset(tally);
    return { files: files.filter((file) => file !== undefined), tallies };
  }

  async abort(): Promise<void> {
    for (const { file } of this.#tables.values()) await file?.abort();
  }

  async #finish(open: OpenTable): Promise<ExportedFile | undefined> {
    await this.#flush(open);
    if (open.file === undefined) return undefined;
    const file = { ...(await open.file.finish()), holds: [...open.holds] };
    open.holds.clear();
    open.file = undefined;
    return file;
  }

  async #flush(open: OpenTable): Promise<void> {
    if (open.table.rows === 0) return;
    const { context } = this;
    const batch = open.table.take();
    this.#collected -= open.pendingBytes;
    open.pendingBytes = 0;
    if (open.file === undefined) {
      const { robot, channel } = open.sample;
      const { segment, session } = context;
      const facts = { robot, topic: channel.topic, type: channel.schema.name, segment, session };
      const path = context.options.layout.render({ ...facts, time: open.firstTime });
      open.file = await TableFile.open(path, open.spec, context.pool, context.place, context.createdBy);
    }
    await open.file.add(batch);
  }

  #largest(): OpenTable {
    let largest: OpenTable | undefined;
    for (const open of this.#tables.values()) {
      if (largest === undefined || open.pendingBytes > largest.pendingBytes) largest = open;
    }
    return present(largest);
  }

  #keyOf({ channel, robot }: TableChannel): string {
    const { layout } = this.context.options;
    return JSON.stringify([
      layout.has('robot') ? robot : '',
      layout.has('topic') ? channel.topic : '',
      layout.has('type') ? channel.schema.name : '',
    ]);
  }

  #stateOf(channel: McapChannel, robot: string): ChannelState {
    let ofRobot = this.#states.get(robot);
    if (ofRobot === undefined) this.#states.set(robot, (ofRobot = new WeakMap()));
    let state = ofRobot.get(channel);
    if (state === undefined) ofRobot.set(channel, (state = this.#newState(channel, robot)));
    return state;
  }

  #newState(channel: McapChannel, robot: string): ChannelState {
    const key = this.#keyOf({ channel, robot });
    let open = this.#tables.get(key);
    if (open === undefined) {
      // Not in the file's index: it gets a table of its own.
      const later = new TableSink(this.context, [{ channel, robot }]);
      open = present(later.#tables.get(key));
      this.#tables.set(key, open);
    }
    const { topic, schema, encoding } = channel;
    const tally = newTally(robot, topic, schema.name, encoding);
    const name = tallyKey(tally);
    if (!this.#tallies.has(name)) addTally(this.#tallies, tally);
    const thinning = this.#thinnings.of(robot, topic);
    const add = open.table.adder({ encoding, schema });
    return { open, add, tally: present(this.#tallies.get(name)), tallyKey: name, thinning };
  }
}

function reset(tally: TopicTally): void {
  tally.messages = 0;
  tally.kept_raw = 0;
  tally.undecoded = 0;
  tally.left_over = 0;
  tally.thinned_out = 0;
  delete tally.reason;
  delete tally.first;
  delete tally.last;
}
