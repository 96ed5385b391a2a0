// temporal.toml: reads the file, and says what of a profile is not as it should be. The SDK's own
// reader takes misspelt names and values of a wrong type in silence.
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { type ClientConfigProfile, loadClientConfig } from '@temporalio/envconfig';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { causeOf } from './cause.js';

export interface TomlFault {
  /** The setting's place in the file, for example `profile "cloud", tls.server_name`. */
  readonly key: string;
  readonly message: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const text = z.string();
const flag = z.boolean();
const profileSchema = z
  .strictObject({
    address: text,
    namespace: text,
    api_key: text,
    tls: z
      .strictObject({
        disabled: flag,
        client_cert_path: text,
        client_cert_data: text,
        client_key_path: text,
        client_key_data: text,
        server_ca_cert_path: text,
        server_ca_cert_data: text,
        server_name: text,
        disable_host_verification: z.literal(false),
      })
      .partial(),
    /** Read by the Temporal CLI; workers and clients have codecs of their own. */
    codec: z.strictObject({ endpoint: text, auth: text }).partial(),
    grpc_meta: z.record(z.string(), text),
  })
  .partial();
/** Other profiles are not looked into: the file also serves programs that know more settings. */
const fileSchema = z.strictObject({ profile: z.record(z.string(), z.looseObject({})) }).partial();

const UNVERIFIED = 'the SDK always verifies the server: take it out, and name the authority by server_ca_cert_path';

export class TemporalToml {
  /** What the file is called in messages. */
  readonly name: string;
  /** Why the file can't be read as a whole; undefined when it can, or there is none. */
  readonly unreadable: string | undefined;
  readonly profiles: Readonly<Record<string, ClientConfigProfile>> = {};
  readonly #raw: unknown;

  constructor(environment: Environment) {
    const named = environment['TEMPORAL_CONFIG_FILE'];
    this.name = named === undefined ? 'temporal.toml' : `TEMPORAL_CONFIG_FILE (${named})`;
    try {
      const content = contentOf(named ?? defaultPath(environment));
      if (content === undefined) return;
      this.#raw = parse(content);
      // The SDK's reader trips over a file without profiles.
      if (typeof this.#raw !== 'object' || this.#raw === null || !('profile' in this.#raw)) return;
      this.profiles = loadClientConfig({ configSource: { data: content } }).profiles;
    } catch (error) {
      this.unreadable = `is not accepted: ${causeOf(error)}`;
    }
  }

  /** What is wrong with a profile, and with the file around it. */
  faultsOf(profile: string): TomlFault[] {
    if (this.#raw === undefined) return [];
    const file = fileSchema.safeParse(this.#raw, { reportInput: true });
    if (!file.success) return faultsIn(file.error, fileSchema, '');
    const found = profileSchema.safeParse(file.data.profile?.[profile] ?? {}, { reportInput: true });
    return found.success ? [] : faultsIn(found.error, profileSchema, `profile "${profile}"`);
  }
}

function faultsIn(error: z.ZodError, schema: z.ZodType, place: string): TomlFault[] {
  return error.issues.flatMap((issue): TomlFault[] => {
    const path = issue.path.map(String);
    const at = (more: readonly string[]): string => [place, more.join('.')].filter((part) => part !== '').join(', ');
    if (issue.code === 'unrecognized_keys') {
      const known = `there is no such setting; there are ${keysAt(schema, path).join(', ')}`;
      return issue.keys.map((key) => ({ key: at([...path, key]), message: known }));
    }
    return [{ key: at(path), message: wrongValue(issue) }];
  });
}

function wrongValue(issue: z.core.$ZodIssue): string {
  if (issue.path.at(-1) === 'disable_host_verification') return UNVERIFIED;
  const expected = 'expected' in issue ? issue.expected : '';
  const { input } = issue;
  const isPlain = typeof input === 'string' || typeof input === 'number' || typeof input === 'boolean';
  const written = isPlain ? `"${input}"` : 'a table, a list or a time';
  if (expected === 'boolean') return `${written} is neither true nor false; both are written without quotes`;
  if (expected === 'string') return `${written} is no text: write it in quotes`;
  return `${written} stands where a table is expected`;
}

/** The names that stand at a place of a schema. */
function keysAt(schema: z.ZodType, path: readonly string[]): string[] {
  let at: unknown = schema;
  for (const key of ['', ...path]) {
    if (at instanceof z.ZodObject && key !== '') at = at.shape[key];
    while (at instanceof z.ZodOptional) at = at.unwrap();
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** The file's content; undefined if there is no such file. */
function contentOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Where Temporal's programs keep the file, by the rule of `@temporalio/envconfig`. */
function defaultPath(environment: Environment): string | undefined {
  const folder = configFolder(environment);
  return folder === undefined ? undefined : join(folder, 'temporalio', 'temporal.toml');
}

function configFolder({ APPDATA, HOME, XDG_CONFIG_HOME }: Environment): string | undefined {
  if (process.platform === 'win32') return APPDATA;
  if (process.platform === 'darwin') return HOME === undefined ? undefined : join(HOME, 'Library/Application Support');
  if (XDG_CONFIG_HOME !== undefined) return isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : undefined;
  return HOME === undefined ? undefined : join(HOME, '.config');
}
