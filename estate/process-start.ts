// Process ids are used again. The id with the time of the process's start, in one run of the
// system, is not.
import { readFileSync } from 'node:fs';

/**
 * Identifies the process together with its id; undefined without such a living process, or where
 * there is no /proc.
 */
export function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // The third field is the state, the 22nd the start in ticks since boot; the second, in
    // parentheses, may contain anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    const [state] = fields;
    const ticks = fields[19];
    // A zombie is gone but for its parent.
    return state === 'Z' || ticks === undefined ? undefined : `${boot} ${ticks}`;
  } catch {
    return undefined;
  }
}

/** @param start as `startOf` said once */
export function isSameProcess(pid: number, start: string): boolean {
  return startOf(pid) === start;
}
