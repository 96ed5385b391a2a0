// Words that scripts of more than one kind use: attempts, lineages, places in the write order.
import type { AttemptRef, WriteMark } from '../../../../contracts/attempt.js';
import { moveIdSchema } from '../../../../contracts/ids.js';
import { type LineageId, lineageIdSchema } from '../../../../contracts/lineage.js';
import { numberOf } from '../script.js';

/** L1 is the lineage of 32 ones. */
export function lineageOf(text: string): LineageId {
  return lineageIdSchema.parse(text.replace('L', '').repeat(32));
}

export function lineageText(lineage: LineageId): string {
  return `L${lineage[0] ?? ''}`;
}

/** The attempt m1#2: the second one of move m1. */
export function refOf(text: string): AttemptRef {
  const [move = '', n = ''] = text.split('#');
  return { move: moveIdSchema.parse(move), n: numberOf(n) };
}

/** The mark 2:17: write 17 of session 2. */
export function markText({ session, n }: WriteMark): string {
  return `${session}:${n}`;
}

export function markOf(text: string): WriteMark {
  const [session = '', n = ''] = text.split(':');
  return { session: numberOf(session), n: numberOf(n) };
}
