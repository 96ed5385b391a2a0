// Readable workflow ids for moves.
import { randomBytes } from 'node:crypto';
import type { ParsedMoveInput } from '../../contracts/move.js';

/**
 * Random bytes at the end of a default id. They keep two moves of one volume to one group on one
 * day apart.
 */
const UNIQUE_BYTES = 4;
/** Random bytes of an id that has nothing else. */
const ALONE_BYTES = 8;

/**
 * A default workflow id. @example "move-vm-1-disk-0-to-cg-silver-3f9a0c12",
 * "move-vm-1-disk-0-and-2-more-to-cg-silver-88c01d7e", without names "move-3f9a0c1288c01d7e"
 */
export function defaultWorkflowId(input: ParsedMoveInput, hidesNames = false): string {
  if (hidesNames) return `move-${randomBytes(ALONE_BYTES).toString('hex')}`;
  const volumes = input.volumes ?? [input.volume];
  const others = volumes.length > 1 ? `-and-${volumes.length - 1}-more` : '';
  return `move-${volumes[0]}${others}-to-${input.to}-${randomBytes(UNIQUE_BYTES).toString('hex')}`;
}
