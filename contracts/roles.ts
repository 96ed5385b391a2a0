// Roles: what a caller of a control API may do. Each operation names those of which one is needed.
import { z } from 'zod';

/**
 * `read`: looks. `operate`: orders what a person orders day by day (bookmarks, open images,
 * resync). `move`: makes the orchestrator's steps. `replicate`: does what splitters, appliances and
 * the replica site ask of each other. `admin`: decides what may discard data, injects faults, reads
 * the audit.
 */
export const roleSchema = z.enum(['read', 'operate', 'move', 'replicate', 'admin']);
export type Role = z.infer<typeof roleSchema>;

/** Checks a caller's roles: one of `needed` is enough. If none is needed, anybody may call. */
export function mayCall(roles: readonly Role[], needed: readonly Role[]): boolean {
  return needed.length === 0 || needed.some((role) => includes(roles, role));
}

/** `admin` includes every role, and every role includes `read`. */
function includes(roles: readonly Role[], role: Role): boolean {
  return roles.includes(role) || roles.includes('admin') || (role === 'read' && roles.length > 0);
}
