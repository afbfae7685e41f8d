import { join } from 'node:path';
import { NS_PER_MS, NS_PER_S } from '../core/clock.js';
import { describeError, HoldfastError, systemCode } from '../core/errors.js';
import { EVENT_MAX_AGE_NS, EVENTS_MAX, listEvents, readEvent, writeEvent } from '../core/event-files.js';
import type { MarkedEvent } from '../core/marked-event.js';
import { randomHex } from '../core/identity.js';
import type { MarkEventRequest } from './recorder-control.js';
import type { SystemPorts } from '../host/ports.js';

/** By then, messages received before the end of a window are committed. */
const GRACE_NS = 500n * NS_PER_MS;
const READ_AT_ONCE = 32;

/**
 * The marked events of a data folder, bounded in number and age. Sealing writes them into the segments that
 * overlap them. When a window has passed, its last segment is rolled.
 */
export class EventMarks {
  readonly #marks = new Map<string, MarkedEvent>();
  /** Windows that had not passed at the last check. */
  #open = new Set<MarkedEvent>();

  readonly #folder: string;
  readonly #ports: SystemPorts;

  private constructor(folder: string, ports: SystemPorts) {
    this.#folder = folder;
    this.#ports = ports;
  }

  /** Reads the marks of earlier processes; unreadable ones are logged and left alone. */
  static async open(folder: string, ports: SystemPorts): Promise<EventMarks> {
    const marks = new EventMarks(folder, ports);
    try {
      await marks.#load();
    } catch (error) {
      ports.logger.warn('marked events cannot be read', { folder, error: describeError(error) });
    }
    return marks;
  }

  /** Every mark of the data folder. */
  all(): readonly MarkedEvent[] {
    return [...this.#marks.values()];
  }

  /** Marks a window around now; resolves once that is durable. Throws `DISK_FULL`, `DATA_FOLDER_UNUSABLE`. */
  async mark({ label, beforeS, afterS }: MarkEventRequest): Promise<MarkedEvent> {
    const { clock, random, fs } = this.#ports;
    const now = clock.now();
    const before = BigInt(Math.round(beforeS * 1e9));
    const event: MarkedEvent = {
      id: randomHex(random, 16),
      label,
      at: String(now),
      from: String(now > before ? now - before : 0n),
      to: String(now + BigInt(Math.round(afterS * 1e9))),
    };
    try {
      await writeEvent(fs, this.#folder, event);
    } catch (cause) {
      const code = systemCode(cause);
      const full = code === 'ENOSPC' || code === 'EDQUOT';
      throw new HoldfastError(
        full ? 'DISK_FULL' : 'DATA_FOLDER_UNUSABLE',
        'the event cannot be marked durably',
        {
          cause,
        },
      );
    }
    this.#marks.set(event.id, event);
    this.#open.add(event);
    await this.#prune();
    return event;
  }

  /** Whether a window has passed since the last call. If so, seal its messages soon. */
  hasPassed(): boolean {
    const now = this.#ports.clock.now();
    const passed = [...this.#open].filter(({ to }) => BigInt(to) + GRACE_NS <= now);
    for (const event of passed) this.#open.delete(event);
    return passed.length > 0;
  }

  async #load(): Promise<void> {
    const { fs, logger, clock } = this.#ports;
    const ids = await listEvents(fs, this.#folder);
    for (let at = 0; at < ids.length; at += READ_AT_ONCE) {
      const some = ids.slice(at, at + READ_AT_ONCE);
      const found = await Promise.all(some.map((id) => readEvent(fs, this.#folder, id)));
      found.forEach((event, index) => {
        if (event) this.#marks.set(event.id, event);
        else logger.warn('a marked event is damaged and ignored', { id: some[index] });
      });
    }
    const now = clock.now();
    this.#open = new Set(this.all().filter(({ to }) => BigInt(to) > now));
    await this.#prune();
  }

  /** The oldest marks beyond the limits are removed; the recording itself keeps its copy. */
  async #prune(): Promise<void> {
    const { clock, fs, logger } = this.#ports;
    const oldest = clock.now() - EVENT_MAX_AGE_NS;
    const byAge = [...this.#marks.values()].sort((a, b) => Number(BigInt(a.at) - BigInt(b.at)));
    const excess = Math.max(0, byAge.length - EVENTS_MAX);
    for (const [index, event] of byAge.entries()) {
      if (index >= excess && BigInt(event.to) >= oldest) continue;
      this.#marks.delete(event.id);
      this.#open.delete(event);
      await fs.rm(join(this.#folder, `${event.id}.json`), { force: true }).catch((error: unknown) => {
        logger.warn('an expired mark cannot be removed', { id: event.id, error: describeError(error) });
      });
      if (index < excess) {
        const ageS = Number((clock.now() - BigInt(event.at)) / NS_PER_S);
        logger.warn('too many marked events: removed the oldest', { label: event.label, ageS });
      }
    }
  }
}
