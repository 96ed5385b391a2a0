// Started once, stopped once, each safe to call again; a start that failed can be tried again.

/** Wraps `start` and `stop` so. A stop waits for a start under way. */
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
