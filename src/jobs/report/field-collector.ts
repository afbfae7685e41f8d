import type { McapChannel } from '../../core/mcap/definitions.js';
import type { McapMessage } from '../../core/mcap/block.js';
import { present } from '../../core/present.js';
import { isWide, type Batch } from '../../exporters/columns/batch.js';
import { textAt, wideAt } from '../../exporters/columns/batch-rows.js';
import { flatColumns, type FlatColumn } from '../../exporters/columns/flat-columns.js';
import { headNames } from '../../exporters/columns/head-columns.js';
import { MessageTable } from '../../exporters/columns/message-table.js';
import type { Plot } from '../../exporters/report/report-data.js';
import { BucketSeries } from './bucket-series.js';
import { isNumber, planType, type ChartPlan, type TrackPlan, type TypePlan } from './field-plan.js';

/** Number of messages decoded before their columns are drawn. */
const BATCH_ROWS = 2_048;
const BATCH_BYTES = 4 * 1024 * 1024;

/** A position of a robot, as it comes. */
export type OnPosition = (kind: TrackPlan['kind'], frame: string, time: bigint, x: number, y: number) => void;

interface Drawn {
  readonly chart: ChartPlan;
  readonly column: FlatColumn;
  readonly series: BucketSeries;
  readonly scale: number;
}

export interface FieldWish {
  /** Requested by `--plot`, beside the plan of the type. */
  readonly extra: readonly string[];
  readonly onPosition: OnPosition;
}

/** Decodes the messages of one channel into columns and draws the wanted numbers. */
export class FieldCollector {
  readonly plan: TypePlan;
  /** Requested fields that the type lacks, or that are not numbers. */
  readonly missing: readonly string[];
  readonly #table: MessageTable;
  readonly #add: ReturnType<MessageTable['adder']>;
  readonly #drawn: Drawn[] = [];
  readonly #position:
    { readonly x: FlatColumn; readonly y: FlatColumn; readonly frame: FlatColumn | undefined } | undefined;
  readonly #buckets = new Int32Array(BATCH_ROWS);
  readonly #times = new BigInt64Array(BATCH_ROWS);
  #bytes = 0;

  private constructor(
    table: MessageTable,
    channel: McapChannel,
    columns: readonly FlatColumn[],
    readonly wish: FieldWish,
  ) {
    this.#table = table;
    this.#add = table.adder(channel);
    const byName = new Map(columns.map((column) => [column.name, column]));
    this.plan = planType(channel.schema.name, columns);
    const wanted = wish.extra.filter((field) => byName.has(field) && isNumber(present(byName.get(field))));
    this.missing = wish.extra.filter((field) => !wanted.includes(field));
    const extra = wanted.map((field) => ({ title: field, unit: '', fields: [field] }));
    for (const chart of [...this.plan.charts, ...extra]) {
      for (const field of chart.fields) {
        const scale = this.plan.isBattery === true && field === 'percentage' ? 100 : 1;
        this.#drawn.push({ chart, column: present(byName.get(field)), series: new BucketSeries(), scale });
      }
    }
    const { track } = this.plan;
    if (track !== undefined) {
      const frame = track.frame === undefined ? undefined : byName.get(track.frame);
      this.#position = { x: present(byName.get(track.x)), y: present(byName.get(track.y)), frame };
    }
  }

  /**
   * The collector of a channel; a reason if its messages cannot be decoded; undefined if nothing of them is
   * drawn.
   */
  static open(channel: McapChannel, wish: FieldWish): FieldCollector | string | undefined {
    const { topic } = channel;
    const table = new MessageTable([channel], { flatten: true, raw: false, robot: '', topic });
    const obstacle = table.obstacle(channel);
    if (obstacle !== undefined) return obstacle;
    const heads = new Set<string>(headNames);
    const columns = flatColumns(table.columns).filter(({ name }) => !heads.has(name));
    const collector = new FieldCollector(table, channel, columns, wish);
    const isIdle = collector.#drawn.length === 0 && collector.#position === undefined;
    return isIdle && collector.missing.length === 0 ? undefined : collector;
  }

  /** Number of bytes after the last added message, without padding. */
  get leftOver(): number {
    return this.#table.leftOver;
  }

  /** Returns why the message could not be decoded, or undefined. */
  add({ channel, logTime, publishTime, sequence, data }: McapMessage, bucket: number): string | undefined {
    const row = this.#table.rows;
    const head = { logTime, publishTime, robot: '', topic: channel.topic, sequence };
    const reason = this.#add(head, data);
    if (reason !== undefined) return reason;
    this.#buckets[row] = bucket;
    this.#times[row] = logTime;
    this.#bytes += data.byteLength;
    if (row + 1 >= BATCH_ROWS || this.#bytes >= BATCH_BYTES) this.flush();
    return undefined;
  }

  /** Draws the messages decoded since. */
  flush(): void {
    this.#bytes = 0;
    const batch = this.#table.take();
    for (const { column, series, scale } of this.#drawn) {
      const read = numberReader(batch, column);
      for (let row = 0; row < batch.rows; row++) series.add(this.#buckets[row]!, scale * read(row));
    }
    if (this.#position === undefined) return;
    const { x, y, frame } = this.#position;
    const [readX, readY] = [numberReader(batch, x), numberReader(batch, y)];
    for (let row = 0; row < batch.rows; row++) {
      const name = frame === undefined ? '' : textAt(batch.nodes[frame.at.id]!, row);
      this.wish.onPosition(present(this.plan.track).kind, name, this.#times[row]!, readX(row), readY(row));
    }
  }

  plots(robot: string, robotIndex: number, topic: string): Plot[] {
    const charts = new Map<ChartPlan, Drawn[]>();
    for (const drawn of this.#drawn) charts.set(drawn.chart, [...(charts.get(drawn.chart) ?? []), drawn]);
    return [...charts].map(([{ title, unit }, fields]) => ({
      title,
      unit,
      robot,
      topic,
      chosen: this.wish.extra.includes(title) && !this.plan.charts.some((one) => one.title === title),
      series: fields.map(({ column, series }) => series.facts(column.name, robotIndex)),
    }));
  }
}

function numberReader(batch: Batch, { at }: FlatColumn): (row: number) => number {
  const node = batch.nodes[at.id]!;
  const { column } = at;
  if (column.kind !== 'leaf' || column.constant !== undefined) return () => NaN;
  if (column.type === 'uint64') return (row) => Number(BigInt.asUintN(64, wideAt(node, row)));
  if (isWide(column.type)) return (row) => Number(wideAt(node, row));
  const values = present(node.values);
  return (row) => values[row]!;
}
