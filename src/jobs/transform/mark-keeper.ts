import { describeError } from '../../core/errors.js';
import { EVENTS_MAX, listEvents, writeEvent } from '../../core/event-files.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import type { MarkedEvent } from '../../core/marked-event.js';

/** Writes what models have marked into `events/` of a data folder, where sync and the recorder look for marks. */
export class MarkKeeper {
  readonly #fs: FileSystem;
  readonly #logger: Logger;

  constructor(fs: FileSystem, logger: Logger) {
    this.#fs = fs;
    this.#logger = logger;
  }

  /** Writes those that are not there, durably. Never rejects: the changed copy has the marks as well. */
  async keep(folder: string, events: readonly MarkedEvent[]): Promise<void> {
    if (events.length === 0) return;
    try {
      const known = new Set(await listEvents(this.#fs, folder));
      const added = events.filter(({ id }) => !known.has(id));
      const room = Math.max(0, EVENTS_MAX - known.size);
      for (const event of added.slice(0, room)) await writeEvent(this.#fs, folder, event);
      if (added.length > room) {
        this.#logger.warn('marks of models are only in the changed copies: the data folder has too many', {
          marks: added.length - room,
          max: EVENTS_MAX,
        });
      }
    } catch (error) {
      this.#logger.warn('marks of models cannot be written', { folder, error: describeError(error) });
    }
  }
}
