/**
 * Whether the signal is aborted now. The compiler assumes that `signal.aborted`, once seen false, stays false
 * until the end of the block. After an `await` it may be true.
 */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
