// The peer's activity: nothing.
export const noopActivities = {
  noop: async (): Promise<void> => undefined,
};
