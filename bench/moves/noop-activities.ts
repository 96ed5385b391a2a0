// The peer's activity, which does nothing.
export const noopActivities = {
  noop: async (): Promise<void> => undefined,
};
