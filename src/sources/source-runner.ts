import { Observable } from 'rxjs';
import type { SourceContext, SourceEvent } from '../core/source.js';
import { onAbort } from '../core/on-abort.js';

/** The tools for the body of a source. */
export interface SourceRun {
  readonly emit: (event: SourceEvent) => void;
  /** Aborts with the context's signal, or when there is no subscriber any more. */
  readonly signal: AbortSignal;
}

/**
 * Creates the Observable of a source from an async body. It completes when the body returns, and errors when
 * the body throws. After the signal aborted, it completes without an error, even if the body throws.
 * Unsubscribing aborts the signal; nothing is emitted afterwards.
 */
export function runSource(
  context: SourceContext,
  body: (run: SourceRun) => Promise<void>,
): Observable<SourceEvent> {
  return new Observable((subscriber) => {
    const stop = new AbortController();
    const unlisten = onAbort(context.signal, () => stop.abort());
    subscriber.add(() => {
      unlisten();
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

/** Waits for the promise or the signal; false: the signal aborted first. */
export async function settledBefore(promise: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  let release = (): void => {};
  const aborted = new Promise<false>((resolve) => {
    release = onAbort(signal, () => resolve(false));
  });
  try {
    return await Promise.race([promise.then(() => true), aborted]);
  } finally {
    release();
  }
}
