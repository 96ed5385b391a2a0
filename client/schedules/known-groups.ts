// Checks the groups that a schedule names, so that a typing error shows by day and not in the
// night's first run.
import { findGroups } from '../../control/site-lookup.js';
import type { Ports } from '../../control/ports.js';
import type { BatchInput } from '../../contracts/batch.js';
import { isSilence, MoverError, type Reason } from '../../contracts/errors.js';

/**
 * @returns false when the estate did not answer: a schedule may be made before its estate starts
 * @throws MoverError INVALID_REQUEST naming each field with a group that the estate does not have
 */
export async function refuseUnknownGroups(ports: Ports, batch: BatchInput): Promise<boolean> {
  const groups = await estateGroups(ports);
  if (groups === undefined) return false;
  const reasons = groupsIn(batch)
    .filter(({ group }) => !groups.has(group))
    .map(({ subject, group }): Reason => {
      const message = `there is no consistency group "${group}"`;
      return { code: 'GROUP_NOT_FOUND', subject, message };
    });
  if (reasons.length === 0) return true;
  const listed = [...new Set(reasons.map(({ subject, message }) => `${subject}: ${message}`))].join('; ');
  throw new MoverError('INVALID_REQUEST', `The schedule is not accepted: ${listed}.`, { reasons });
}

async function estateGroups(ports: Ports): Promise<ReadonlySet<string> | undefined> {
  try {
    return new Set((await findGroups(ports)).map(({ group }) => group));
  } catch (error) {
    if (isSilence(error)) return undefined;
    throw error;
  }
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
    ...moves.map((move, i) => ({ subject: `batch.moves.${i}.to`, group: move.to })),
    ...from.map((group) => ({ subject: 'batch.select.from', group })),
    ...(to === undefined ? [] : [{ subject: 'batch.to', group: to }]),
    ...Object.entries(map).flatMap(([source, target]) => [
      { subject: `batch.map.${source}`, group: source },
      { subject: `batch.map.${source}`, group: target },
    ]),
  ];
}
