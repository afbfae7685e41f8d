import type { McapMessage } from '../../core/mcap/block.js';
import { parseGenericEvent } from '../../core/generic-event.js';
import { PathTemplate } from '../../settings/path-template.js';
import { TableSink, type TableChannel } from '../export/table-sink.js';
import type { ExportedFile } from '../export/table-file.js';
import type { SinkContext } from '../export/group-sink.js';

/** Files written at the same time; further ones are written in another pass over the segment. */
const OPEN_MAX = 32;
/** Maximum number of passes; events for further files share one. */
const PASSES_MAX = 32;
/** Replaces names beyond the limit. */
const MANY = '~more';

/**
 * Events as rows of one file per path of the layout, which is made of the events' own fields: the same event
 * has the same path in every recorder. Bounded in memory and files: a segment is read several times instead
 * of keeping all files open.
 */
export class EventTables {
  readonly files: ExportedFile[] = [];
  undecoded = 0;
  #open = new Map<string, TableSink>();
  readonly #done = new Set<string>();
  #passes = 0;
  #isLeft = false;

  readonly #context: SinkContext;
  readonly #channels: readonly TableChannel[];

  /** @param channels all channels of events of the segment */
  constructor(context: SinkContext, channels: readonly TableChannel[]) {
    this.#context = context;
    this.#channels = channels;
  }

  /** A promise: await it before the next message. */
  add(message: McapMessage, robot: string): Promise<void> | undefined {
    let path = this.#pathOf(message, robot, undefined);
    if (this.#done.has(path)) return undefined;
    if (!this.#open.has(path) && this.#open.size >= OPEN_MAX) {
      if (this.#passes < PASSES_MAX - 1) {
        this.#isLeft = true;
        return undefined;
      }
      path = this.#pathOf(message, robot, MANY);
    }
    return this.#sink(path).add({ message, robot });
  }

  /** Ends a pass. True: read the segment once more. */
  async endPass(): Promise<boolean> {
    for (const [path, sink] of this.#open) {
      const { files, tallies } = await sink.endWindow();
      this.files.push(...files);
      for (const tally of tallies) this.undecoded += tally.kept_raw + tally.undecoded;
      this.#done.add(path);
    }
    this.#open.clear();
    this.#passes++;
    const again = this.#isLeft;
    this.#isLeft = false;
    return again;
  }

  async abort(): Promise<void> {
    for (const sink of this.#open.values()) await sink.abort();
  }

  #sink(path: string): TableSink {
    let sink = this.#open.get(path);
    if (!sink) {
      const layout = new PathTemplate(path, '.parquet', []);
      const options = { ...this.#context.options, layout };
      sink = new TableSink({ ...this.#context, options }, this.#channels);
      this.#open.set(path, sink);
    }
    return sink;
  }

  /** @param many stands for all values that events choose themselves */
  #pathOf({ data, logTime, channel }: McapMessage, robot: string, many: string | undefined): string {
    const event = parseGenericEvent(data);
    const isEvent = typeof event !== 'string';
    return this.#context.options.layout.render({
      robot,
      topic: channel.topic,
      type: channel.schema.name,
      segment: this.#context.segment,
      session: '',
      time: many === undefined && isEvent ? event.timestampNs : many === undefined ? logTime : 0n,
      simulation_id: many ?? (isEvent ? event.simulationId : ''),
      worker_id: many ?? (isEvent ? event.workerId : ''),
      event_type_key: many ?? (isEvent ? event.eventTypeKey : ''),
    });
  }
}
