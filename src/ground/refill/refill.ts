import { isAborted } from '../../core/is-aborted.js';
import { NS_PER_S, type Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { McapMessage } from '../../core/mcap/block.js';
import { openMcap } from '../../core/mcap/open-mcap.js';
import type { Store } from '../../core/store.js';
import { storeReadable } from '../../recordings/store-readable.js';
import type { RemovedSamples } from '../../uplink/protocol/outbox-codec.js';
import { STALE_NS } from '../../uplink/robot/telemetry-sampler.js';
import type { Database } from '../database/database.js';
import { insertSamples } from '../history/insert-samples.js';
import { KnownIds } from '../history/known-ids.js';
import { createMonth, monthOf } from '../history/months.js';
import { SampleRows } from '../history/sample-rows.js';
import { HoleBook, noHoles, type Hole, type HoleCounts, type TickRange, type HoleView } from './hole-book.js';
import { HoleSampler, type SampledHole } from './sample-hole.js';
import { coveredBy, findSegments, type StoredSegment } from './stored-segments.js';

export interface RefillPorts {
  readonly stores: readonly Store[];
  /** Samples are kept for so long, days: older holes are not filled. */
  readonly sampleDays: number;
  /** Whether this process does it: of several equal ones, one. */
  readonly isTurn: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_MS = 5_000;
const HOLES_AT_ONCE = 20;
/** Ticks that are sampled together: it bounds the memory, with the messages of this time. */
const WINDOW_TICKS = 1_200;
/** Windows of one hole in one look: other holes get their turn. */
const MAX_WINDOWS = 200;
const MAX_ROWS = 8_000;
const NS_PER_DAY = 86_400n * NS_PER_S;

/**
 * Fills the holes of the history that robots told: it samples the uploaded segments as the robot did. A sample that
 * is there already stays as it is, so a second run changes nothing.
 */
export class Refill implements AsyncDisposable {
  readonly #database: Database;
  readonly #ports: RefillPorts;
  readonly #book: HoleBook;
  readonly #ids: KnownIds;
  readonly #lifetime = new AbortController();
  #running: Promise<void> | undefined;
  #counts = noHoles;

  constructor(database: Database, ports: RefillPorts) {
    this.#database = database;
    this.#ports = ports;
    this.#book = new HoleBook(database);
    this.#ids = new KnownIds(database);
  }

  /** Looks for holes again and again, until it is disposed. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Of all robots, a few seconds old. */
  counts(): HoleCounts {
    return this.#counts;
  }

  /** Of one robot, or of one vehicle by its VIN, now. */
  countsOf(robot: string): Promise<HoleCounts> {
    return this.#book.counts(robot);
  }

  /** The newest holes of one robot, or of one vehicle by its VIN. */
  shownOf(robot: string): Promise<readonly HoleView[]> {
    return this.#book.shown(robot);
  }

  /** A robot no longer has these samples. Resolves when this is durable. */
  readonly note = (robot: string, removed: RemovedSamples): Promise<void> =>
    this.#book.note(robot, removed, this.#ports.clock.now());

  /** Fills what can be filled now. Returns the number of new samples. */
  async look(): Promise<number> {
    const { clock, logger, sampleDays } = this.#ports;
    let filled = 0;
    for (const hole of await this.#book.due(clock.now(), HOLES_AT_ONCE)) {
      const end = hole.timeNs + BigInt((hole.left.at(-1)?.to ?? 0) - hole.firstTick) * BigInt(hole.tickNs);
      const isTooOld = end < clock.now() - BigInt(sampleDays) * NS_PER_DAY;
      const added = isTooOld ? 0 : await this.#fill(hole);
      await this.#book.lookedAt(hole, clock.now(), isTooOld);
      const { robot, id } = hole;
      if (added > 0) logger.info('samples were filled in from segments', { robot, hole: id, samples: added });
      filled += added;
    }
    return filled;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lifetime.abort(new Error('the ground ends'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, logger, isTurn } = this.#ports;
    const { signal } = this.#lifetime;
    while (!isAborted(signal)) {
      try {
        if (isTurn()) await this.look();
        this.#counts = await this.#book.counts();
      } catch (error) {
        if (!isAborted(signal))
          logger.warn('holes of the history cannot be filled now', { error: describeError(error) });
      }
      await clock.sleep(LOOK_MS, signal).catch(() => undefined);
    }
  }

  async #fill(hole: Hole): Promise<number> {
    let filled = 0;
    for (const range of windowsOf(hole.left).slice(0, MAX_WINDOWS)) {
      this.#lifetime.signal.throwIfAborted();
      const { samples, settled } = await this.#sample(hole, range);
      const added = await this.#store(hole, samples);
      if (added > 0 || settled.length > 0) await this.#book.settle(hole, settled, added);
      filled += added;
    }
    return filled;
  }

  async #sample(hole: Hole, range: TickRange): Promise<SampledHole> {
    const timeOf = (tick: number): bigint =>
      hole.timeNs + BigInt(tick - hole.firstTick) * BigInt(hole.tickNs);
    // What a message said holds for a while.
    const [fromNs, toNs] = [timeOf(range.from) - STALE_NS - BigInt(hole.tickNs), timeOf(range.to)];
    const segments = await findSegments(this.#database, hole, fromNs, toNs);
    const wanted = new Set(hole.fields.map(({ topic }) => topic));
    const priorities = new Map(segments.flatMap((one) => one.topics.map((topic) => [topic, one.priority])));
    const sampler = new HoleSampler(hole, range, coveredBy(segments), (topic) => priorities.get(topic));
    const messages: McapMessage[] = [];
    for (const segment of segments) {
      if (segment.firstNs > toNs || segment.lastNs < fromNs) continue;
      if (!segment.topics.some((topic) => wanted.has(topic))) continue;
      messages.push(...(await this.#messagesOf(segment, wanted, fromNs, toNs)));
    }
    messages.sort((a, b) => Number(a.logTime - b.logTime));
    for (const message of messages) sampler.take(message);
    return sampler.end();
  }

  async #messagesOf(
    { store: uri, key, bytes }: StoredSegment,
    wanted: ReadonlySet<string>,
    from: bigint,
    to: bigint,
  ): Promise<readonly McapMessage[]> {
    const { signal } = this.#lifetime;
    const store = this.#ports.stores.find((one) => one.uri === uri);
    if (store === undefined) return [];
    const reader = await openMcap(storeReadable(store, key, bytes, { signal }), key);
    const found: McapMessage[] = [];
    const select = ({ topic, carried }: McapMessage['channel']) =>
      wanted.has(topic) && !carried ? { from, to } : undefined;
    for await (const message of reader.messages({ select, signal }))
      // A view would keep its whole block in memory.
      found.push({ ...message, data: Uint8Array.from(message.data) });
    return found;
  }

  async #store(hole: Hole, samples: SampledHole['samples']): Promise<number> {
    const { robot, vin, run, fields, tickNs } = hole;
    const batch = {
      robot,
      vin,
      run,
      fields,
      tickNs,
      firstTick: 0,
      ticks: 1,
      timeNs: 0n,
      values: [],
      full: false,
    };
    const ids = await this.#ids.fieldsOf(batch);
    const number = await this.#ids.runOf(batch);
    const months = new Set(samples.map(({ timeNs }) => monthOf(timeNs)));
    for (const month of months) await createMonth(this.#database, month);
    let added = 0;
    for (let at = 0; at < samples.length; at += MAX_ROWS) {
      const rows = new SampleRows(MAX_ROWS);
      for (const { field, tick, timeNs, value } of samples.slice(at, at + MAX_ROWS)) {
        const id = ids[field];
        if (id === undefined) continue;
        rows.setTime(timeNs);
        rows.add(id, number, tick, value);
      }
      added += await insertSamples(this.#database, rows);
    }
    return added;
  }
}

function windowsOf(ranges: readonly TickRange[]): readonly TickRange[] {
  return ranges.flatMap(({ from, to }) =>
    Array.from({ length: Math.ceil((to - from) / WINDOW_TICKS) }, (_, i) => ({
      from: from + i * WINDOW_TICKS,
      to: Math.min(to, from + (i + 1) * WINDOW_TICKS),
    })),
  );
}
