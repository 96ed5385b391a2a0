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
    const words = wordsOf(values.get(field));
    return words === undefined ? [] : [[field, words]];
  });
  return Object.fromEntries(picked);
}

function wordsOf(value: unknown): string | string[] | undefined {
  if (!Array.isArray(value)) return wordOf(value);
  const words = value.slice(0, AUDIT_NAMES_MAX).flatMap((item) => wordOf(item) ?? []);
  return words.length === 0 ? undefined : words;
}

/** The name of one thing: itself, or the name in it. */
function wordOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.slice(0, AUDIT_TEXT_LENGTH_MAX);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object' || value === null) return undefined;
  const attempt = attemptRefSchema.safeParse(
    'move' in value && 'n' in value ? { move: value.move, n: value.n } : value,
  );
  if (attempt.success) return wordOf(attemptName(attempt.data));
  if ('volume' in value) return wordOf(value.volume);
  return 'group' in value ? wordOf(value.group) : undefined;
}
