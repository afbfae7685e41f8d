import type { Channel } from '../../core/message.js';
import type { Source, SourceContext } from '../../core/source.js';
import { isAborted } from '../../core/is-aborted.js';
import { withJitter } from '../jitter.js';
import { runSource, type SourceRun } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import { runFoxgloveConnection, type ConnectionEnd } from './foxglove-connection.js';
import { readFoxgloveUri, type FoxgloveOptions } from './foxglove-options.js';
import { GapCollector } from '../gap-collector.js';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

/**
 * The client of a Foxglove WebSocket server (foxglove_bridge, the SDK, or any other): it subscribes to every
 * wanted channel and reconnects for ever. The time while disconnected becomes a gap with unknown count,
 * because the protocol does not number messages.
 *
 * @throws HoldfastError SOURCE_UNKNOWN, CONFIG_INVALID.
 */
export function createFoxgloveSource(uri: SourceUri): Source {
  const options = readFoxgloveUri(uri);
  return {
    uri: uri.text,
    supports: { finite: false, backpressure: false, sequences: false, acknowledgement: false },
    open: (context) => runSource(context, (run) => listen(options, context, run)),
  };
}

async function listen(options: FoxgloveOptions, context: SourceContext, run: SourceRun): Promise<void> {
  const { clock, logger } = context;
  const { emit, signal } = run;
  const gaps = new GapCollector(clock, emit);
  const known = new Map<string, Channel>();
  const absence = new Absence(context, run, known);
  const parts = { context, emit, gaps, known, maxMessageBytes: options.maxMessageBytes };
  let backoffMs = FIRST_BACKOFF_MS;
  let reported: string | undefined;
  while (!signal.aborted) {
    emit({ kind: 'state', state: 'connecting' });
    const end = await runFoxgloveConnection(options, parts, signal, () => {
      absence.end();
      emit({ kind: 'state', state: 'open' });
    });
    if (end.tooLarge) gaps.add('message_too_large', context.robotOf(''), undefined, 0, end.reason);
    gaps.flush();
    if (isAborted(signal)) break;
    if (end.wasOpen) absence.begin(end);
    // If a server ends every connection with a too large frame, do not reconnect at full speed.
    if (end.wasOpen && !end.tooLarge) {
      backoffMs = FIRST_BACKOFF_MS;
      reported = undefined;
    }
    if (end.reason !== reported) {
      reported = end.reason;
      logger.warn(end.wasOpen ? 'foxglove server lost' : 'no foxglove server', { reason: end.reason });
    }
    emit({ kind: 'state', state: 'waiting', detail: end.reason });
    await clock.sleep(withJitter(backoffMs, clock.monotonic()), signal).catch(() => undefined);
    backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2);
  }
  absence.end();
}

/** The time without a connection, reported as one gap per robot once it is over. */
class Absence {
  readonly #context: SourceContext;
  readonly #run: SourceRun;
  readonly #known: ReadonlyMap<string, Channel>;
  #since: bigint | undefined;

  constructor(context: SourceContext, run: SourceRun, known: ReadonlyMap<string, Channel>) {
    this.#context = context;
    this.#run = run;
    this.#known = known;
  }

  begin({ lastReceivedAt }: ConnectionEnd): void {
    this.#since ??= lastReceivedAt > 0n ? lastReceivedAt : this.#context.clock.now();
  }

  end(): void {
    if (this.#since === undefined) return;
    const now = this.#context.clock.now();
    const firstTime = this.#since < now ? this.#since : now;
    this.#since = undefined;
    for (const robot of new Set([...this.#known.values()].map((channel) => channel.robot))) {
      const detail = 'no connection to the Foxglove server';
      this.#run.emit({
        kind: 'gap',
        gap: { reason: 'source_lost', robot, firstTime, lastTime: now, detail },
      });
    }
  }
}
