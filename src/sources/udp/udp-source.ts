import type { Socket } from 'node:dgram';
import { describeError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Source, SourceContext } from '../../core/source.js';
import { isAborted } from '../../core/is-aborted.js';
import { runSource, type SourceRun } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import { readKernelDrops } from './kernel-drops.js';
import { readUdpUri, type UdpOptions } from './udp-options.js';
import { interfaceSignature, openUdpSocket } from './udp-socket.js';
import { V2vReceiver } from './v2v-receiver.js';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
/** Interval of reporting losses and of checking the kernel's drops and the interfaces. */
const TICK_MS = 1_000;

/**
 * The listener to vehicle-to-vehicle datagrams: `udp://group:port?iface=eth0` or `udp://address:port`. It
 * binds and joins again for ever if the network vanishes. The vehicles number their datagrams, so missing
 * ones become gaps with their count.
 *
 * @throws HoldfastError SOURCE_UNKNOWN, CONFIG_INVALID.
 */
export async function createUdpSource(uri: SourceUri, { fs }: { fs: FileSystem }): Promise<Source> {
  const options = await readUdpUri(uri, fs);
  return {
    uri: uri.text,
    supports: { finite: false, backpressure: false, sequences: false, acknowledgement: false },
    open: (context) => runSource(context, (run) => listen(options, fs, context, run)),
  };
}

async function listen(
  options: UdpOptions,
  fs: FileSystem,
  context: SourceContext,
  { emit, signal }: SourceRun,
): Promise<void> {
  const { clock, logger } = context;
  const receiver = new V2vReceiver(options, context, emit);
  const unlisten = context.onWantedChange?.(() => receiver.filterChanged());
  let backoffMs = FIRST_BACKOFF_MS;
  let reported: string | undefined;
  try {
    while (!signal.aborted) {
      emit({ kind: 'state', state: 'connecting' });
      const reason = await session(options, fs, context, { emit, signal }, receiver, () => {
        backoffMs = FIRST_BACKOFF_MS;
        reported = undefined;
      });
      if (isAborted(signal)) break;
      if (reason !== reported) logger.warn('cannot receive vehicle-to-vehicle UDP', { reason });
      reported = reason;
      emit({ kind: 'state', state: 'waiting', detail: reason });
      await clock.sleep(backoffMs, signal).catch(() => undefined);
      backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2);
    }
  } finally {
    unlisten?.();
    receiver.tick(true);
    receiver.report();
  }
}

/** From opening the socket to its end; returns why it ended. */
async function session(
  options: UdpOptions,
  fs: FileSystem,
  context: SourceContext,
  { emit, signal }: SourceRun,
  receiver: V2vReceiver,
  onOpen: () => void,
): Promise<string> {
  const signature = interfaceSignature(options.iface);
  let socket: Socket;
  try {
    socket = await openUdpSocket(options, (bytes, from) => {
      if (!signal.aborted) receiver.receive(bytes, from);
    });
  } catch (error) {
    return describeError(error);
  }
  const over = new AbortController();
  try {
    onOpen();
    tellBuffer(socket, options, context);
    emit({ kind: 'state', state: 'open' });
    const failed = new Promise<string>((resolve) => socket.on('error', (error) => resolve(error.message)));
    const running = { emit, signal: AbortSignal.any([signal, over.signal]) };
    const watching = watch(options, fs, context, running, receiver, signature);
    return await Promise.race([failed, watching]);
  } finally {
    over.abort();
    socket.removeAllListeners('message');
    socket.close();
  }
}

/** Every second: losses, drops of the kernel, interfaces. Ends with the signal or when it must join again. */
async function watch(
  options: UdpOptions,
  fs: FileSystem,
  context: SourceContext,
  { emit, signal }: SourceRun,
  receiver: V2vReceiver,
  signature: string,
): Promise<string> {
  const { clock, logger } = context;
  let drops = 0;
  let reportedAt = clock.monotonic();
  while (!signal.aborted) {
    await clock.sleep(Math.min(TICK_MS, options.statsMs), signal).catch(() => undefined);
    if (isAborted(signal)) break;
    receiver.tick();
    const now = clock.monotonic();
    if (Number(now - reportedAt) / 1e6 >= options.statsMs) {
      reportedAt = now;
      receiver.report();
    }
    const total = await readKernelDrops(fs, options.port, options.family);
    if (total !== undefined && total > drops) {
      const count = total - drops;
      drops = total;
      const detail =
        `the kernel dropped ${count} datagrams because the receive buffer of the socket was full; ` +
        'those of numbered senders are counted as lost on their topics too';
      logger.warn('datagrams dropped by the kernel', { count, bufferBytes: options.bufferBytes });
      // Without a count of messages: their numbers are counted once, on the topics they belong to.
      const lastTime = clock.now();
      emit({ kind: 'gap', gap: { reason: 'source_lost', robot: context.robotOf(''), lastTime, detail } });
    }
    if (options.isGroup && interfaceSignature(options.iface) !== signature) {
      return 'the network interfaces changed';
    }
  }
  return 'ended';
}

/** The kernel grants what net.core.rmem_max allows, and includes its own overhead in what it reports. */
function tellBuffer(socket: Socket, { bufferBytes }: UdpOptions, { logger }: SourceContext): void {
  const granted = socket.getRecvBufferSize();
  if (granted < bufferBytes) {
    logger.warn('the kernel grants a smaller receive buffer: sysctl net.core.rmem_max', {
      bufferBytes,
      granted,
    });
  }
}
