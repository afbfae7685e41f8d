import { HoldfastError } from '../../core/errors.js';
import type { Source, SourceContext } from '../../core/source.js';
import { isAborted } from '../../core/is-aborted.js';
import { runSource, type SourceRun } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import { readUriOptions } from '../uri-options.js';
import { runFleetSession, type FleetAddress, type FleetMemory } from './fleet-session.js';

const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 1_000;

/**
 * The client of a fleet process: `sim://host:port`. It reconnects for ever, and completes when the fleet
 * reports its end.
 *
 * @throws HoldfastError CONFIG_INVALID, SOURCE_UNKNOWN.
 */
export function createFleetSource(uri: SourceUri): Source {
  readUriOptions(uri, {});
  const address = readFleetAddress(uri);
  return {
    uri: uri.text,
    // It cannot wait: the fleet continues with or without a listener.
    supports: { finite: true, backpressure: false, sequences: true, acknowledgement: false },
    open: (context) => runSource(context, (run) => listen(address, context, run)),
  };
}

/** @throws HoldfastError SOURCE_UNKNOWN */
export function readFleetAddress(uri: SourceUri): FleetAddress {
  const [, host, port] = /^\/\/(\[[0-9A-Fa-f:.]+\]|[^:/?#[\]]+):(\d{1,5})\/?$/.exec(uri.path) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new HoldfastError('SOURCE_UNKNOWN', `source ${uri.text}: a fleet process is sim://host:port`, {
      facts: { uri: uri.text },
    });
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

async function listen(address: FleetAddress, context: SourceContext, run: SourceRun): Promise<void> {
  const { emit, signal } = run;
  const memory: FleetMemory = { channels: new Map() };
  let backoffMs = FIRST_BACKOFF_MS;
  let reported: string | undefined;
  while (!signal.aborted) {
    emit({ kind: 'state', state: 'connecting' });
    const end = await runFleetSession(address, context, memory, emit, signal);
    if (end.kind === 'ended') {
      emit({ kind: 'state', state: 'done' });
      return;
    }
    if (isAborted(signal)) return;
    if (end.wasOpen) {
      backoffMs = FIRST_BACKOFF_MS;
      reported = undefined;
    }
    // Once per reason, not once per attempt.
    if (end.reason !== reported) {
      reported = end.reason;
      const event = end.wasOpen ? 'connection to the fleet lost' : 'no connection to the fleet';
      context.logger.warn(event, { ...address, reason: end.reason });
    }
    emit({ kind: 'state', state: 'waiting', detail: end.reason });
    await context.clock.sleep(backoffMs, signal);
    backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2);
  }
}
