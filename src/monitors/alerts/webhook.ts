import type { Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { Alert } from './evaluate-alerts.js';

/** Changes that wait to be told; beyond it the oldest gives way. */
const QUEUE_MAX = 100;
const ATTEMPTS_MAX = 10;
const TIMEOUT_MS = 5_000;
const BACKOFF_FIRST_MS = 2_000;
const BACKOFF_MAX_MS = 120_000;

/** What is posted, as JSON, for every change of an alert. */
export interface WebhookBody {
  readonly source: 'holdfast';
  readonly host: string;
  readonly robots: readonly string[];
  readonly alert: Alert;
}

export interface WebhookStats {
  readonly queued: number;
  readonly sent: number;
  readonly failed: number;
  readonly dropped: number;
  readonly lastError?: string;
}

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
 * Tells alerts to a web address, one after the other, with retries and backoff, beside everything else:
 * {@link tell} only queues. The address may hold a secret, so it is never logged.
 */
export class Webhook implements AsyncDisposable {
  private readonly queue: WebhookBody[] = [];
  private readonly stop = new AbortController();
  private running: Promise<void> | undefined;
  private sent = 0;
  private failed = 0;
  private dropped = 0;
  private lastError: string | undefined;

  constructor(
    private readonly url: string,
    private readonly ports: WebhookPorts,
  ) {}

  tell(body: WebhookBody): void {
    if (this.stop.signal.aborted) return;
    this.queue.push(body);
    if (this.queue.length > QUEUE_MAX) {
      this.queue.shift();
      this.dropped++;
    }
    this.running ??= this.run().finally(() => (this.running = undefined));
  }

  stats(): WebhookStats {
    return {
      queued: this.queue.length,
      sent: this.sent,
      failed: this.failed,
      dropped: this.dropped,
      ...(this.lastError === undefined ? {} : { lastError: this.lastError }),
    };
  }

  /** What is queued is given up: the process ends, and its next start raises what still holds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0 && !this.stop.signal.aborted) await this.deliver(this.queue.shift()!);
  }

  /** Never rejects. */
  private async deliver(body: WebhookBody): Promise<void> {
    const { clock, logger } = this.ports;
    for (let attempt = 1; !this.stop.signal.aborted; attempt++) {
      try {
        await this.post(body);
        this.sent++;
        return;
      } catch (error) {
        if (this.stop.signal.aborted) return;
        this.lastError = describeError(error).replaceAll(this.url, '(webhook)');
      }
      if (attempt === ATTEMPTS_MAX) break;
      const waitMs = Math.min(BACKOFF_FIRST_MS * 2 ** (attempt - 1), BACKOFF_MAX_MS);
      await clock.sleep(waitMs, this.stop.signal).catch(() => {});
    }
    if (this.stop.signal.aborted) return;
    this.failed++;
    logger.warn('an alert could not be told to the webhook', { alert: body.alert.id, error: this.lastError });
  }

  private async post(body: WebhookBody): Promise<void> {
    const { ok, status } = await this.ports.fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.any([this.stop.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    if (!ok) throw new Error(`the webhook answered ${status}`);
  }
}
