// A start and a stop that each take effect once and may be called again; a failed start can be
// retried.

/** Wraps `start` and `stop` that way. A stop waits for a start in progress. */
export function lifeCycle<Started>(
  start: () => Promise<Started>,
  stop: () => Promise<void>,
): { readonly start: () => Promise<Started>; readonly stop: () => Promise<void> } {
  let starting: Promise<Started> | undefined;
  let stopping: Promise<void> | undefined;
  return {
    start: async () => {
      starting ??= start().catch((error: unknown) => {
        starting = undefined;
        throw error;
      });
      return starting;
    },
    stop: async () => {
      stopping ??= Promise.allSettled([starting]).then(stop);
      return stopping;
    },
  };
}
