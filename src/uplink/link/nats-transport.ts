import type { Clock } from '../../core/clock.js';
import { defined } from '../../core/defined.js';
import { describeError, HoldfastError } from '../../core/errors.js';
import { randomHex } from '../../core/identity.js';
import { onAbort } from '../../core/on-abort.js';
import { distrust, readTrust, type GroundTrust } from './ground-trust.js';
import { NatsLink } from './nats-link.js';
import { readOpenAnswer, writeOpen } from './nats-open.js';
import { connectToNats, natsAddress, type NatsConnection, type NatsPlace } from './nats-place.js';
import { subjectToken, uplinkSubjects } from './nats-subjects.js';
import type { ConnectionEvents, UplinkConnection, UplinkTransport } from './uplink-transport.js';

export interface NatsTransportPorts {
  readonly clock: Clock;
  readonly random: (count: number) => Uint8Array;
}

/** How a robot logs in to NATS, and which server it trusts. */
export interface NatsLogin {
  /** Reads the credentials, at every connection. */
  readonly creds?: () => Promise<Uint8Array>;
  /** For `natss://`; absent: the certificates that the system trusts. */
  readonly trust?: GroundTrust;
}

/** A process of the ground that hangs may get the question: the next one probably goes to another process. */
const OPEN_TIMEOUT_MS = 4_000;
const ROBOT = /^([A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}):/;

/** Connects a robot to a ground over NATS: what it sends goes into a stream, and comes back by NATS. */
export class NatsTransport implements UplinkTransport {
  readonly address: string;
  readonly #trust: GroundTrust | undefined;
  readonly #place: () => Promise<NatsPlace>;
  readonly #token: string;
  readonly #robot: string;
  readonly #ports: NatsTransportPorts;

  /**
   * @param url - `nats://host:port` or `natss://host:port`.
   * @param login - What it needs to log in, and to trust a server with TLS.
   */
  constructor(url: string, token: string, ports: NatsTransportPorts, login: NatsLogin = {}) {
    this.address = natsAddress({ url });
    this.#trust = login.trust;
    this.#place = async () => ({
      ...{ url, ...defined({ creds: await login.creds?.(), trust: await readTrust(login.trust) }) },
    });
    this.#token = token;
    // A token without a name is nobody's; the ground refuses it.
    this.#robot = subjectToken(ROBOT.exec(token)?.[1] ?? '_');
    this.#ports = ports;
  }

  connect(events: ConnectionEvents, signal: AbortSignal): Promise<UplinkConnection> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const unlisten = onAbort(signal, () => reject(signal.reason as Error));
      this.#connect(events, signal).then(resolve, reject).finally(unlisten);
    });
  }

  async #connect(events: ConnectionEvents, signal: AbortSignal): Promise<UplinkConnection> {
    let nats: NatsConnection | undefined;
    // A question that waits for its answer ends with the connection.
    const unlisten = onAbort(signal, () => void nats?.close().catch(() => undefined));
    try {
      nats = await connectToNats(await this.#place(), `holdfast ${this.#robot}`, {
        ...{ keeps: false, inboxPrefix: uplinkSubjects.inbox(this.#robot) },
      });
      signal.throwIfAborted();
      const link = await this.#open(nats, events);
      signal.throwIfAborted();
      return link;
    } catch (cause) {
      await nats?.close().catch(() => undefined);
      if (cause instanceof HoldfastError) throw cause;
      const untrusted = distrust(this.address, cause, this.#trust);
      if (untrusted !== undefined) throw untrusted;
      const message = `cannot connect to a ground at ${this.address}: ${describeError(cause)}`;
      throw new HoldfastError('GROUND_UNREACHABLE', message, { cause });
    } finally {
      unlisten();
    }
  }

  async #open(nats: NatsConnection, events: ConnectionEvents): Promise<NatsLink> {
    const { clock, random } = this.#ports;
    const id = randomHex(random, 4);
    let up = '';
    const link = new NatsLink({
      ...{ clock, flush: () => nats.flush(), release: () => void nats.close().catch(() => undefined) },
      publish: (bytes, head) => nats.publish(up, bytes, head === undefined ? {} : { headers: head }),
    });
    try {
      nats.subscribe(uplinkSubjects.down(this.#robot, id), {
        callback: (error, message) => {
          if (error === null) link.received(message);
        },
      });
      link.listen(events);
      const asked = writeOpen({ link: id, token: this.#token });
      const reply = await nats.request(uplinkSubjects.open(this.#robot), asked, { timeout: OPEN_TIMEOUT_MS });
      const answer = readOpenAnswer(reply.data);
      if (answer.kind !== 'accepted') {
        const code = answer.kind === 'refused' ? 'GROUND_REFUSED' : 'GROUND_UNREACHABLE';
        throw new HoldfastError(code, `the ground at ${this.address} does not accept: ${answer.reason}`);
      }
      up = uplinkSubjects.up(this.#robot, answer.worker, id);
      nats.subscribe(uplinkSubjects.ended(answer.worker), {
        callback: () => link.end('the process of the ground is gone'),
      });
      // The server knows the subscription now: an end of the process that comes at once is not missed.
      await nats.flush();
      void nats.closed().then((error) => {
        link.end(error instanceof Error ? error.message : 'the connection to NATS has ended');
      });
      return link;
    } catch (error) {
      // The connection was never there for its listener.
      link.listen({ message: () => undefined, closed: () => undefined });
      link.end('not accepted');
      throw error;
    }
  }
}
