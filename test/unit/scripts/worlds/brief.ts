// Inputs and answers in few words: what has a name is told by it.
import { attemptName } from '../../../../contracts/attempt.js';
import { moveIdSchema } from '../../../../contracts/ids.js';

/** Fields that are told elsewhere or say nothing new. */
const LEFT_OUT = new Set(['options']);

/** Longest text that is told word by word. */
const TEXT_LENGTH_MAX = 400;

export function brief(value: unknown): string {
  if (typeof value === 'string' && value.length > TEXT_LENGTH_MAX) return `${value.length} characters`;
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(brief).join(' ');
  if (typeof value !== 'object' || value === null) return String(value);
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const { move, n, ticket, group, url, volume, splitter, session, epoch, position } = fields;
  if (typeof move === 'string' && typeof n === 'number' && Object.keys(fields).length <= 3)
    return `${attemptName({ move: moveIdSchema.parse(move), n })}${ticket === undefined ? '' : `/${brief(ticket)}`}`;
  if (typeof group === 'string' && typeof url === 'string' && fields['epoch'] === undefined) return group;
  if (typeof volume === 'string' && typeof session === 'number')
    return `${volume} ${session}:${brief(n)}${position === undefined ? '' : `=${brief(position)}`}`;
  if (typeof volume === 'string' && typeof splitter === 'string' && Object.keys(fields).length === 3)
    return `${volume}@${brief(epoch)}`;
  const parts = Object.entries(fields)
    .filter(([key]) => !LEFT_OUT.has(key))
    .map(([key, field]) => `${key} ${brief(field)}`);
  return `(${parts.join(', ')})`;
}
