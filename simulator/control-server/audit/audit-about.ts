// What a call named, for its entry in the audit: ids and words, no data.
import { attemptName, attemptRefSchema } from '../../../contracts/attempt.js';
import { AUDIT_NAMES_MAX, AUDIT_TEXT_LENGTH_MAX, type AuditEntry } from '../../../contracts/audit.js';

/** The fields of all inputs that say what a call is about, and on whose behalf. */
const FIELDS = [
  'volume',
  'volumes',
  'group',
  'from',
  'to',
  'attempt',
  'verdict',
  'point',
  'bookmark',
  'name',
  'access',
  'image',
  'decision',
  'move',
  'batch',
  'outcome',
  'cut',
  'unconfirmed',
  'paused',
  'client',
  'operator',
  'reason',
] as const;

/** Picks the fields out of an input that need not be of the operation's form. */
export function aboutOf(input: unknown): AuditEntry['about'] {
  if (typeof input !== 'object' || input === null) return {};
  const values = new Map(Object.entries(input));
  const picked = FIELDS.flatMap((field): [string, string | string[]][] => {
    const texts = textsOf(values.get(field));
    return texts === undefined ? [] : [[field, texts]];
  });
  return Object.fromEntries(picked);
}

function textsOf(value: unknown): string | string[] | undefined {
  if (!Array.isArray(value)) return textOf(value);
  const texts = value.slice(0, AUDIT_NAMES_MAX).flatMap((item) => textOf(item) ?? []);
  return texts.length === 0 ? undefined : texts;
}

/** A plain value as text; of an object, the attempt, volume or group that it names. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.slice(0, AUDIT_TEXT_LENGTH_MAX);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object' || value === null) return undefined;
  const attempt = attemptRefSchema.safeParse(
    'move' in value && 'n' in value ? { move: value.move, n: value.n } : value,
  );
  if (attempt.success) return textOf(attemptName(attempt.data));
  if ('volume' in value) return textOf(value.volume);
  return 'group' in value ? textOf(value.group) : undefined;
}
