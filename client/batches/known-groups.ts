// Checks the groups that a batch names, so that a typing error shows at once: a source group that
// does not exist would select nothing.
import { findGroups } from '../../control/site-lookup.js';
import type { Ports } from '../../control/ports.js';
import type { BatchInput } from '../../contracts/batch.js';
import { type ErrorCode, isSilence, MoverError, type Reason } from '../../contracts/errors.js';

/** Codes that mean: the estate does not tell this caller. Nothing can be checked then. */
const NOT_TOLD: ReadonlySet<ErrorCode> = new Set(['UNAUTHORIZED', 'FORBIDDEN']);

/** The estate's groups; undefined when the estate does not answer, or not to this caller. */
export async function estateGroups(ports: Ports): Promise<ReadonlySet<string> | undefined> {
  try {
    return new Set((await findGroups(ports)).map(({ group }) => group));
  } catch (error) {
    if (isSilence(error) || (error instanceof MoverError && NOT_TOLD.has(error.code))) return undefined;
    throw error;
  }
}

/** A reason for each group that the batch names and the estate does not have, by its field. */
export function unknownGroups(batch: BatchInput, groups: ReadonlySet<string>): Reason[] {
  return groupsIn(batch)
    .filter(({ group }) => !groups.has(group))
    .map(({ subject, group }): Reason => {
      const message = `there is no consistency group "${group}"`;
      return { code: 'GROUP_NOT_FOUND', subject, message };
    });
}

/**
 * Refuses a batch before a workflow starts.
 * @returns false when the estate did not tell its groups; the workflow then finds the fault
 * @throws MoverError GROUP_NOT_FOUND naming each field with a group that the estate does not have
 */
export async function refuseUnknownGroups(ports: Ports, batch: BatchInput): Promise<boolean> {
  const groups = await estateGroups(ports);
  if (groups === undefined) return false;
  const reasons = unknownGroups(batch, groups);
  if (reasons.length === 0) return true;
  throw new MoverError('GROUP_NOT_FOUND', `The batch is not accepted: ${listed(reasons)}.`, { reasons });
}

/** Reasons in a line, each once. */
export function listed(reasons: readonly Reason[]): string {
  return [...new Set(reasons.map(({ subject, message }) => `${subject}: ${message}`))].join('; ');
}

/** Every group named in a batch, with its field. */
function groupsIn({
  moves = [],
  select,
  to,
  map = {},
}: BatchInput): { readonly subject: string; readonly group: string }[] {
  const from = select?.from === undefined ? [] : [select.from].flat();
  return [
    ...moves.flatMap((move, i) => [
      { subject: `moves.${i}.to`, group: move.to },
      ...(move.from === undefined ? [] : [{ subject: `moves.${i}.from`, group: move.from }]),
    ]),
    ...from.map((group) => ({ subject: 'select.from', group })),
    ...(to === undefined ? [] : [{ subject: 'to', group: to }]),
    ...Object.entries(map).flatMap(([source, target]) => [
      { subject: `map.${source}`, group: source },
      { subject: `map.${source}`, group: target },
    ]),
  ];
}
