// One signal for "the caller gave up" and "it took too long". AbortSignal.any and .timeout would
// do, but they keep their timers and their hold on a long-lived caller's signal until garbage
// collection; thousands of calls under one signal add up.

export interface TimeLimit {
  readonly signal: AbortSignal;
  /** Whether the time ran out, as against the caller's own abort. */
  readonly expired: () => boolean;
  /** To be called when the call has ended, however it ended. */
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
