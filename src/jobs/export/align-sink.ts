import { defined } from '../../core/defined.js';
import { HoldfastError } from '../../core/errors.js';
import { flatColumns } from '../../exporters/columns/flat-columns.js';
import { headNames, MAX_TABLE_TIME } from '../../exporters/columns/head-columns.js';
import { MessageTable, type MessageKind } from '../../exporters/columns/message-table.js';
import type { PlacedColumn } from '../../exporters/columns/batch.js';
import type { LeafType } from '../../exporters/columns/column.js';
import { WideTable, type WideColumn } from '../../exporters/columns/wide-table.js';
import { limits } from './export-options.js';
import type { ExportMessage, GroupSink, SinkContext, WindowResult } from './group-sink.js';
import { severalAtOnce } from './several-at-once.js';
import { TableFile } from './table-file.js';
import type { TableChannel } from './table-sink.js';
import { numberTypes } from '../../core/ros/number-types.js';
import { countLeftOver, tallyKey, TopicTallies } from './topic-tally.js';

/**
 * If nothing at all is recorded for longer than this, there are no rows: a clock that jumped must not fill
 * the disk.
 */
export const MAX_SILENCE_NS = 60_000_000_000n;
/** Number of files fsynced at the same time. */
const FINISHED_AT_ONCE = 16;
const NS_PER_MILLIHERTZ = 1_000_000_000_000n;

interface AlignedTopic {
  readonly table: MessageTable;
  readonly leaves: readonly PlacedColumn[];
  /** Index of its first column in the wide row, which is the log time of the values. */
  readonly at: number;
  time: bigint | undefined;
}

interface AlignedRobot {
  readonly robot: string;
  readonly wide: WideTable;
  readonly topics: ReadonlyMap<string, AlignedTopic>;
  readonly row: (number | bigint | null)[];
  /** Number of the next tick. */
  tick: bigint | undefined;
  last: bigint;
  file: TableFile | undefined;
}

/**
 * One wide table per robot: at each tick of a clock the latest value of every numeric field of every topic,
 * no older than allowed (an as-of join backwards: no value is from the future).
 */
export class AlignSink implements GroupSink {
  readonly #robots = new Map<string, AlignedRobot>();
  readonly #tallies = new TopicTallies();
  readonly #milliHz: bigint;

  constructor(
    readonly context: SinkContext,
    channels: readonly TableChannel[],
  ) {
    this.#milliHz = BigInt(Math.max(1, Math.round((context.options.alignHz ?? 1) * 1000)));
    const robots = new Map<string, Map<string, MessageKind[]>>();
    for (const { channel, robot } of channels) {
      const topics = robots.get(robot) ?? new Map<string, MessageKind[]>();
      robots.set(robot, topics);
      topics.set(channel.topic, [...(topics.get(channel.topic) ?? []), channel]);
    }
    for (const [robot, topics] of robots) this.#robots.set(robot, alignedRobot(robot, topics));
  }

  add({ message, robot }: ExportMessage): Promise<void> | undefined {
    const { channel, logTime, publishTime, sequence, data } = message;
    const state = this.#robots.get(robot);
    const topic = state?.topics.get(channel.topic);
    const tally = this.#tallies.of(robot, channel);
    if (state === undefined || topic === undefined) {
      tally.undecoded++;
      tally.reason ??= 'its channel was not announced';
      return undefined;
    }
    const reason = topic.table.adder(channel)(
      { logTime, publishTime, robot, topic: channel.topic, sequence },
      data,
    );
    // A time that no table can hold must not fill the table up to it.
    if (logTime > MAX_TABLE_TIME) {
      tally.undecoded++;
      if (reason !== undefined) tally.reason ??= reason;
      return undefined;
    }
    this.#emitUntil(state, logTime);
    if (reason !== undefined) {
      tally.undecoded++;
      tally.reason ??= reason;
    } else {
      const values = topic.table.lastValues(topic.leaves);
      topic.time = logTime;
      state.row[topic.at] = logTime;
      for (let i = 0; i < values.length; i++) state.row[topic.at + 1 + i] = values[i]!;
      countLeftOver(tally, topic.table.leftOver);
      tally.messages++;
      tally.first ??= String(logTime);
      tally.last = String(logTime);
    }
    state.last = logTime;
    const bytes = state.wide.rows * state.row.length * 9;
    return state.wide.rows >= limits.batchRows || bytes >= limits.batchBytes ? this.#flush(state) : undefined;
  }

  async endWindow(): Promise<WindowResult> {
    const files = await severalAtOnce(this.#robots, FINISHED_AT_ONCE, async ([robot, state]) => {
      // Including the tick at the very last message.
      if (state.tick !== undefined) this.#emitUntil(state, state.last + 1n);
      await this.#flush(state);
      const ofRobot = this.#tallies.all().filter((tally) => tally.robot === robot && tally.messages > 0);
      const holds = ofRobot.map(tallyKey);
      const { file } = state;
      state.file = undefined;
      return file === undefined ? undefined : { ...(await file.finish()), holds };
    });
    return { files: files.filter((file) => file !== undefined), tallies: this.#tallies.all() };
  }

  async abort(): Promise<void> {
    for (const { file } of this.#robots.values()) await file?.abort();
  }

  /** Rows for all ticks before `time`. */
  #emitUntil(state: AlignedRobot, time: bigint): void {
    const first = this.#firstTickFrom(time);
    state.tick ??= first;
    for (; this.#timeOf(state.tick) < time; state.tick++) {
      const now = this.#timeOf(state.tick);
      if (now - state.last > MAX_SILENCE_NS) {
        state.tick = first;
        return;
      }
      state.wide.add(now, this.#fresh(state, now));
    }
  }

  #fresh(state: AlignedRobot, now: bigint): readonly (number | bigint | null)[] {
    const { alignMaxAgeNs: maxAge } = this.context.options;
    if (maxAge === undefined) return state.row;
    const row = [...state.row];
    for (const { time, at, leaves } of state.topics.values()) {
      if (time === undefined || now - time <= maxAge) continue;
      row.fill(null, at, at + 1 + leaves.length);
    }
    return row;
  }

  #timeOf(tick: bigint): bigint {
    return (tick * NS_PER_MILLIHERTZ) / this.#milliHz;
  }

  #firstTickFrom(time: bigint): bigint {
    const tick = (time * this.#milliHz) / NS_PER_MILLIHERTZ;
    return this.#timeOf(tick) < time ? tick + 1n : tick;
  }

  async #flush(state: AlignedRobot): Promise<void> {
    if (state.wide.rows === 0) return;
    const { options, pool, place, createdBy, segment, session } = this.context;
    const batch = state.wide.take();
    if (options.format === 'mcap') return;
    if (state.file === undefined) {
      const facts = { robot: state.robot, topic: '', type: '', segment, session, time: state.last };
      const { format, guardFormulas } = options;
      const spec = { format, columns: state.wide.columns, flatten: true, ...defined({ guardFormulas }) };
      state.file = await TableFile.open(options.layout.render(facts), spec, pool, place, createdBy);
    }
    await state.file.add(batch);
  }
}

const alignable: ReadonlySet<LeafType> = new Set([...numberTypes, 'time', 'duration']);
const heads: ReadonlySet<string> = new Set(headNames);

function alignedRobot(robot: string, kinds: ReadonlyMap<string, readonly MessageKind[]>): AlignedRobot {
  const columns: WideColumn[] = [];
  const topics = new Map<string, AlignedTopic>();
  for (const [topic, ofTopic] of [...kinds].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const table = new MessageTable(ofTopic, { flatten: true, raw: false, robot, topic });
    const prefix = topic.replace(/^\//, '').replaceAll('/', '.');
    const at = columns.length;
    columns.push({ name: `${prefix}.log_time`, type: 'time' });
    const leaves: PlacedColumn[] = [];
    for (const { name, at: placed, column } of flatColumns(table.columns)) {
      if (heads.has(name) || column.kind !== 'leaf' || !alignable.has(column.type)) continue;
      leaves.push(placed);
      columns.push({ name: `${prefix}.${name}`, type: column.type });
    }
    topics.set(topic, { table, leaves, at, time: undefined });
  }
  try {
    const wide = new WideTable(uniquely(columns), robot);
    const row = columns.map(() => null);
    return { robot, wide, topics, row, tick: undefined, last: 0n, file: undefined };
  } catch (cause) {
    throw new HoldfastError('OUTPUT_UNUSABLE', `the aligned table of ${robot} is too wide: choose topics`, {
      cause,
    });
  }
}

/** `/a/b` with a field `c` and `/a` with `b.c` would have one name: the later one gets a number. */
function uniquely(columns: readonly WideColumn[]): WideColumn[] {
  const used = new Set<string>();
  return columns.map(({ name, type }) => {
    let unique = name;
    for (let i = 2; used.has(unique); i++) unique = `${name}_${i}`;
    used.add(unique);
    return { name: unique, type };
  });
}
