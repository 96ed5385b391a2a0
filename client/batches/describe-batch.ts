// Describes in a few words what a batch moves.
import type { BatchInput } from '../../contracts/batch.js';

/** Describes a batch's input. @example "volumes of cg-gold named vm-1* to cg-silver" */
export function describeBatch({ moves, select, failedOf, to, map = {} }: BatchInput): string {
  if (moves !== undefined) return `${moves.length} moves`;
  if (failedOf !== undefined) return `failed moves of ${failedOf}`;
  const mapped = Object.entries(map).map(([source, target]) => `${source} to ${target}`);
  return `volumes${ofSelect(select)} ${to === undefined ? mapped.join(', ') : `to ${to}`}`;
}

function ofSelect({ from = [], name, vm, labels = {} }: NonNullable<BatchInput['select']> = {}): string {
  const groups = [from].flat();
  return [
    groups.length === 0 ? '' : ` of ${groups.join(', ')}`,
    name === undefined ? '' : ` named ${name}`,
    vm === undefined ? '' : ` of VM ${vm}`,
    ...Object.entries(labels).map(([key, value]) => ` with ${key}=${value}`),
  ].join('');
}
