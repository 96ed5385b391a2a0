// The flag of commands that change the estate.
import type { GlobalFlags } from './session.js';

/** The flag, for `Command.option`. */
export const DRY_RUN = ['--dry-run', 'only say what would be done, or every reason against it'] as const;

export interface ChangeFlags extends GlobalFlags {
  readonly dryRun?: boolean;
}
