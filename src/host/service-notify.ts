import { execFile } from 'node:child_process';

/** How long one call of systemd-notify may take. */
const CALL_MS = 5_000;
const US_PER_MS = 1_000;
/** Messages to the watchdog within its time. */
const TIMES_PER_WATCHDOG = 3;

export interface ServiceNotifyOptions {
  /** The environment of the process: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`. */
  readonly env: NodeJS.ProcessEnv;
  /** Id of this process: a watchdog of another process is not served. */
  readonly pid: number;
  /** Asked before each message to the watchdog. If it is not true, or rejects, no message is sent. Default: always true. */
  readonly isAlive?: () => Promise<boolean>;
  /** Sends one notification. Default: `systemd-notify`, because Node.js has no datagram sockets of the Unix domain. */
  readonly send?: (assignment: string) => Promise<void>;
}

/**
 * Tells systemd that the service is ready, and then keeps its watchdog content (sd_notify, `Type=notify`). Outside a
 * unit it does nothing. The unit needs `NotifyAccess=all`, because another process sends the message.
 */
export class ServiceNotify implements Disposable {
  readonly #options: ServiceNotifyOptions;
  readonly #isUnit: boolean;
  #timer: NodeJS.Timeout | undefined;
  #isSending = false;

  constructor(options: ServiceNotifyOptions) {
    this.#options = options;
    this.#isUnit = (options.env['NOTIFY_SOCKET'] ?? '') !== '';
    if (!this.#isUnit) return;
    void this.#send('READY=1');
    const everyMs = watchdogMs(options.env, options.pid) / TIMES_PER_WATCHDOG;
    if (!(everyMs > 0)) return;
    this.#timer = setInterval(() => void this.#tick(), everyMs);
    this.#timer.unref();
  }

  /** Tells systemd that the service ends, and leaves the watchdog alone from now on. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#isUnit) void this.#send('STOPPING=1');
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tick(): Promise<void> {
    // One at a time: a slow answer must not pile up processes.
    if (this.#isSending) return;
    this.#isSending = true;
    const isAlive = await (this.#options.isAlive?.() ?? Promise.resolve(true)).catch(() => false);
    if (isAlive && this.#timer !== undefined) await this.#send('WATCHDOG=1');
    this.#isSending = false;
  }

  async #send(assignment: string): Promise<void> {
    await (this.#options.send ?? systemdNotify)(assignment).catch(() => undefined);
  }
}

/** The time of the watchdog in milliseconds; 0 without a watchdog, or if it is meant for another process. */
function watchdogMs(env: NodeJS.ProcessEnv, pid: number): number {
  const meant = env['WATCHDOG_PID'] ?? '';
  if (meant !== '' && meant !== String(pid)) return 0;
  const us = Number(env['WATCHDOG_USEC'] ?? '');
  return Number.isFinite(us) ? us / US_PER_MS : 0;
}

/** Without it, systemd ends the service after the start limit and says why. */
function systemdNotify(assignment: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('systemd-notify', [assignment], { timeout: CALL_MS }, (error) => {
      if (error === null) resolve();
      else reject(new Error(`systemd-notify: ${error.message}`));
    });
  });
}
