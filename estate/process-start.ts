// Identifies a process beyond its id: ids are reused, but an id with its start time is unique in
// one boot.
import { readFileSync } from 'node:fs';

/** The boot id and start time of a living process; undefined if there is none or no /proc. */
export function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // The third field is the state, the 22nd the start in ticks since boot. The second is in
    // parentheses and may contain anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    const [state] = fields;
    const ticks = fields[19];
    // A zombie has ended; only its parent has not collected it.
    return state === 'Z' || ticks === undefined ? undefined : `${boot} ${ticks}`;
  } catch {
    return undefined;
  }
}

/** Whether the process is still the same one. @param start an earlier result of `startOf` */
export function isSameProcess(pid: number, start: string): boolean {
  return startOf(pid) === start;
}
