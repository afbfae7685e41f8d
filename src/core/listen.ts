/**
 * Listeners run synchronously in the caller and must be quick. If one throws, the error is logged and the
 * others are still called.
 */
export type Listen<T> = (listener: (event: T) => void) => Unlisten;

/** Removes the listener. Idempotent. */
export type Unlisten = () => void;
