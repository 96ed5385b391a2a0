// One signal for "the caller gave up" and "it took too long". AbortSignal.any and .timeout would
// keep their timers and a long-lived caller's signal until garbage collection; that adds up over
// thousands of calls.

export interface TimeLimit {
  readonly signal: AbortSignal;
  /** Whether the time ran out; false when the caller aborted. */
  readonly expired: () => boolean;
  /** Frees the timer and the caller's signal. Call it when the call has ended in any way. */
  readonly release: () => void;
}

/**
 * A signal that aborts after `limitMs` milliseconds, or with the caller's reason when the caller
 * aborts.
 */
export function timeLimit(limitMs: number, caller: AbortSignal | undefined): TimeLimit {
  const controller = new AbortController();
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    controller.abort();
  }, limitMs);
  const abort = (): void => controller.abort(caller?.reason);
  if (caller?.aborted === true) abort();
  else caller?.addEventListener('abort', abort, { once: true });
  return {
    signal: controller.signal,
    expired: () => expired,
    release: () => {
      clearTimeout(timer);
      caller?.removeEventListener('abort', abort);
    },
  };
}
