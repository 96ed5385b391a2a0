// What a call rejects with when its caller aborted it.

/** The signal's reason, wrapped in an error if it is none. */
export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
