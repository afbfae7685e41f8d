import { Observable } from 'rxjs';
import type { SourceContext, SourceEvent } from '../core/source.js';

/** What the body of a source works with. */
export interface SourceRun {
  readonly emit: (event: SourceEvent) => void;
  /** Given when the context's signal is, or when nobody is subscribed any more. */
  readonly signal: AbortSignal;
}

/**
 * Makes the Observable of a source from an async body: it completes when the body returns, errors when the
 * body throws, and completes without an error once the signal was given, whatever the body throws then.
 * Unsubscribing gives the signal; nothing is emitted afterwards.
 */
export function runSource(
  context: SourceContext,
  body: (run: SourceRun) => Promise<void>,
): Observable<SourceEvent> {
  return new Observable((subscriber) => {
    const stop = new AbortController();
    const forward = (): void => stop.abort();
    if (context.signal.aborted) stop.abort();
    else context.signal.addEventListener('abort', forward, { once: true });
    subscriber.add(() => {
      context.signal.removeEventListener('abort', forward);
      stop.abort();
    });
    if (stop.signal.aborted) {
      subscriber.complete();
      return;
    }
    const emit = (event: SourceEvent): void => {
      if (!subscriber.closed) subscriber.next(event);
    };
    body({ emit, signal: stop.signal }).then(
      () => subscriber.complete(),
      (error: unknown) => {
        if (stop.signal.aborted) subscriber.complete();
        else subscriber.error(error);
      },
    );
  });
}

/** Waits for the promise or the signal, whichever comes first; false: the signal came. */
export async function settledBefore(promise: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  let release = (): void => {};
  const aborted = new Promise<false>((resolve) => {
    const onAbort = (): void => resolve(false);
    signal.addEventListener('abort', onAbort, { once: true });
    release = () => signal.removeEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([promise.then(() => true), aborted]);
  } finally {
    release();
  }
}
