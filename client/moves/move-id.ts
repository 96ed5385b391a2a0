// Names of moves: a workflow id that people can read, and the move id that is the same across a
// reset and never used again.
import { randomBytes } from 'node:crypto';
import type { ParsedMoveInput } from '../../contracts/move.js';

/**
 * Bytes of randomness at the end of a default id: two moves of one volume to one group on one day
 * don't collide.
 */
const UNIQUE_BYTES = 4;
const WITH_RUN = /^(?<workflowId>.+)@(?<run>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/**
 * @example "move-vm-1-disk-0-to-cg-silver-3f9a0c12",
 * "move-vm-1-disk-0-and-2-more-to-cg-silver-88c01d7e"
 */
export function defaultWorkflowId(input: ParsedMoveInput): string {
  const volumes = input.volumes ?? [input.volume];
  const others = volumes.length > 1 ? `-and-${volumes.length - 1}-more` : '';
  return `move-${volumes[0]}${others}-to-${input.to}-${randomBytes(UNIQUE_BYTES).toString('hex')}`;
}

/**
 * Either form people have at hand: a move id, or a workflow id alone (then its newest move is
 * meant).
 */
export function parseMoveId(id: string): { readonly workflowId: string; readonly firstRunId?: string } {
  const { workflowId, run } = WITH_RUN.exec(id)?.groups ?? {};
  if (workflowId === undefined || run === undefined) return { workflowId: id };
  return { workflowId: decoded(workflowId), firstRunId: run };
}

/** What is no ASCII is percent-encoded in a move id. */
function decoded(workflowId: string): string {
  try {
    return decodeURIComponent(workflowId);
  } catch {
    return workflowId;
  }
}
