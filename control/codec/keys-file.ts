// The file with the keys of the built-in codec. The first encrypts; each decrypts what it has
// encrypted, so that keys can be replaced while old payloads are kept.
import { z } from 'zod';
import { parseOrRefuse } from '../../contracts/errors.js';
import { parseJson } from '../json-text.js';
import { WatchedFile } from '../watched-file.js';

export const KEYS_FILE = 'VOLUME_MOVER_CODEC_KEYS_FILE';
/** AES-256. */
const KEY_BYTES = 32;
const KEYS_MAX = 1_000;
const ID_LENGTH_MAX = 100;
const KEY_RULE = `${KEY_BYTES} random bytes in base64: openssl rand -base64 ${KEY_BYTES}`;

const keySchema = z.strictObject({
  /** Stands beside each payload, in clear. */
  id: z.string().regex(new RegExp(`^[\\x21-\\x7e]{1,${ID_LENGTH_MAX}}$`), 'printable ASCII without spaces'),
  key: z
    .base64(KEY_RULE)
    .transform((text) => Buffer.from(text, 'base64'))
    .refine((bytes) => bytes.length === KEY_BYTES, KEY_RULE),
});
const keysSchema = z
  .strictObject({ keys: z.array(keySchema).min(1).max(KEYS_MAX) })
  .refine(({ keys }) => new Set(keys.map(({ id }) => id)).size === keys.length, {
    path: ['keys'],
    error: 'each id only once',
  });

export interface CodecKeys {
  /** The key that encrypts. */
  readonly current: CodecKey;
  readonly byId: ReadonlyMap<string, CodecKey>;
}
export type CodecKey = z.output<typeof keySchema>;

/** Reads the file, and follows it. @throws MoverError INVALID_REQUEST naming what is wrong */
export function watchKeys(path: string): WatchedFile<CodecKeys> {
  return new WatchedFile({ path, setting: KEYS_FILE, parse: keysIn });
}

function keysIn(bytes: Buffer): CodecKeys {
  const { keys } = parseOrRefuse(keysSchema, parseJson(bytes.toString('utf8')), 'list of keys');
  const [current] = keys;
  if (current === undefined) throw new Error('it has no key');
  return { current, byId: new Map(keys.map((key) => [key.id, key])) };
}
