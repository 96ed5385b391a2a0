// A hook that was started.

export interface StartedHook {
  /**
   * Resolves when it has done its work, or has frozen. @throws Error that says why it has not; then
   * nothing of it stays frozen beyond its own time
   */
  readonly ready: Promise<void>;
  /**
   * Ends the freeze, whatever came of it. Never rejects. @returns whether everything stood still
   * from `ready` on
   */
  thaw(): Promise<boolean>;
}
