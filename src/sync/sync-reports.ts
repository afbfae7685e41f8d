import { Emitter } from '../core/emitter.js';
import { describeError } from '../core/errors.js';
import type { SyncEvent } from '../core/events.js';
import type { LinkState } from '../core/link-state.js';
import type { Listen } from '../core/listen.js';
import type { Link } from './link.js';
import { StatusChanges } from './status-changes.js';
import type { SyncCounters } from './sync-counters.js';
import type { SyncPorts } from './sync-ports.js';

/** What an engine tells its listeners and the log: events, changes of the status, local faults. */
export class SyncReports {
  readonly changes: StatusChanges;
  readonly #events: Emitter<SyncEvent>;
  readonly #logger: SyncPorts['logger'];
  #toldLink: LinkState = 'unknown';

  constructor({ clock, logger, onStatusChange }: Pick<SyncPorts, 'clock' | 'logger' | 'onStatusChange'>) {
    this.#logger = logger;
    this.#events = new Emitter('sync events', logger);
    this.changes = new StatusChanges(clock, logger);
    if (onStatusChange) this.changes.listen(onStatusChange);
  }

  get onEvent(): Listen<SyncEvent> {
    return this.#events.listen;
  }

  tell(event: SyncEvent): void {
    this.#events.emit(event);
  }

  /** The link or the reason of its state has changed; only a new state is an event. */
  linkChanged({ state, since, error }: Link): void {
    if (state !== this.#toldLink) {
      this.#toldLink = state;
      const reason = state === 'offline' ? { reason: describeError(error) } : {};
      this.tell({ kind: 'link', link: state, since: String(since), ...reason });
    }
    this.changes.changed();
  }

  /** A local fault, in words. While it repeats, the log has it once. */
  trouble(message: string, counters: SyncCounters): void {
    if (message !== counters.lastError) this.#logger.warn('a sync step failed', { message });
    counters.noteError(message);
    this.changes.changed();
  }
}
