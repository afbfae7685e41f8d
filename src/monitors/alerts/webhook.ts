import { defined } from '../../core/defined.js';
import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { present } from '../../core/present.js';
import { onAbort } from '../../core/on-abort.js';
import { isAborted } from '../../core/is-aborted.js';
import type { Alert } from './evaluate-alerts.js';

/** Maximum number of changes that wait to be sent; beyond it the oldest is dropped. */
const QUEUE_MAX = 100;
const ATTEMPTS_MAX = 10;
const TIMEOUT_MS = 5_000;
const END_PATIENCE_MS = 1_000;
const BACKOFF_FIRST_MS = 2_000;
const BACKOFF_MAX_MS = 120_000;

/** The JSON that is posted for every change of an alert. */
export interface WebhookBody {
  readonly source: 'holdfast';
  readonly host: string;
  readonly robots: readonly string[];
  /** Of the vehicle, in a post of a ground; absent: none, or unknown. */
  readonly vin?: string;
  readonly alert: Alert<string>;
}

export interface WebhookStats {
  readonly queued: number;
  readonly sent: number;
  readonly failed: number;
  readonly dropped: number;
  readonly lastError?: string;
}

/** Called when a change was delivered, or is given up or dropped. */
export type WebhookEnd = (isDelivered: boolean) => void;

export interface WebhookPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** As the global `fetch`. */
  readonly fetch: (
    url: string,
    init: RequestInit,
  ) => Promise<{ readonly ok: boolean; readonly status: number }>;
}

/**
 * Posts alerts to a web address, one at a time, with retries and backoff, in the background: {@link tell}
 * only queues. The address may hold a secret, so it is never logged.
 */
export class Webhook implements AsyncDisposable {
  readonly #queue: { readonly body: WebhookBody; readonly onEnd: WebhookEnd }[] = [];
  /** Ends the waiting. */
  readonly #stop = new AbortController();
  /** Ends the request under way. */
  readonly #cut = new AbortController();
  #running: Promise<void> | undefined;
  #sent = 0;
  #failed = 0;
  #dropped = 0;
  #lastError: string | undefined;

  readonly #url: string;
  readonly #ports: WebhookPorts;

  constructor(url: string, ports: WebhookPorts) {
    this.#url = url;
    this.#ports = ports;
  }

  /** @param onEnd - Not called if this is closed before. */
  tell(body: WebhookBody, onEnd: WebhookEnd = () => undefined): void {
    if (isAborted(this.#stop.signal)) return;
    this.#queue.push({ body, onEnd });
    if (this.#queue.length > QUEUE_MAX) {
      this.#queue.shift()?.onEnd(false);
      this.#dropped++;
    }
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  stats(): WebhookStats {
    return {
      queued: this.#queue.length,
      sent: this.#sent,
      failed: this.#failed,
      dropped: this.#dropped,
      ...defined({ lastError: this.#lastError }),
    };
  }

  /**
   * Drops the queue: the process ends, and its next start raises the alerts that still hold. A request under way has a
   * second, because an answer that nobody notes makes the next start post the alert again.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const unlisten = onAbort(AbortSignal.timeout(END_PATIENCE_MS), () => this.#cut.abort());
    await this.#running;
    unlisten();
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && !this.#stop.signal.aborted) {
      const { body, onEnd } = present(this.#queue.shift());
      const isDelivered = await this.#deliver(body);
      if (isDelivered !== undefined) onEnd(isDelivered);
    }
  }

  /** Undefined: it was stopped before. Never rejects. */
  async #deliver(body: WebhookBody): Promise<boolean | undefined> {
    const { clock, logger } = this.#ports;
    for (let attempt = 1; !this.#stop.signal.aborted; attempt++) {
      try {
        await this.#post(body);
        this.#sent++;
        return true;
      } catch (error) {
        if (isAborted(this.#stop.signal)) return undefined;
        this.#lastError = describeError(error).replaceAll(this.#url, '(webhook)');
      }
      if (attempt === ATTEMPTS_MAX) break;
      const waitMs = Math.min(BACKOFF_FIRST_MS * 2 ** (attempt - 1), BACKOFF_MAX_MS);
      await clock.sleep(waitMs, this.#stop.signal).catch(() => {});
    }
    if (isAborted(this.#stop.signal)) return undefined;
    this.#failed++;
    logger.warn('cannot send an alert to the webhook', {
      alert: body.alert.id,
      error: this.#lastError,
    });
    return false;
  }

  async #post(body: WebhookBody): Promise<void> {
    const { ok, status } = await this.#ports.fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.any([this.#cut.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    if (!ok) throw new Error(`the webhook answered ${status}`);
  }
}
