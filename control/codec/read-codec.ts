// Which codec stands between a process and Temporal: none, the built-in one, or a module of the
// user's own. Worker, client and codec server read it here.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PayloadCodec } from '@temporalio/common';
import { invalidField } from '../../contracts/errors.js';
import { causeOf } from '../cause.js';
import { withoutEmpty } from '../estate-file.js';
import { AesGcmCodec } from './aes-gcm.js';
import { KEYS_FILE, watchKeys } from './keys-file.js';

export const CODEC = 'VOLUME_MOVER_CODEC';
const HIDE_NAMES = 'VOLUME_MOVER_HIDE_NAMES';
const BUILT_IN = 'aes-gcm';

export interface CodecSettings {
  /** Loads the codec; undefined without one. @throws MoverError INVALID_REQUEST */
  readonly open: () => Promise<PayloadCodec | undefined>;
  /** Whether Temporal gets no name of a volume or group in clear. Default: with a codec. */
  readonly hidesNames: boolean;
}

/**
 * Reads the settings. @throws MoverError INVALID_REQUEST naming the variable at fault: a keys file
 * that can't be used, or that has no codec to use it
 */
export function readCodecSettings(environment: Readonly<Record<string, string | undefined>>): CodecSettings {
  const given = withoutEmpty(environment);
  const { [CODEC]: named, [KEYS_FILE]: path, [HIDE_NAMES]: hide = named === undefined ? '0' : '1' } = given;
  if (hide !== '0' && hide !== '1') throw invalidField(HIDE_NAMES, '"1" for yes, "0" for no');
  const hidesNames = hide === '1';
  if (named !== BUILT_IN) {
    if (path !== undefined) throw invalidField(KEYS_FILE, `it is for the built-in codec: set ${CODEC}=${BUILT_IN} too`);
    return { open: async () => (named === undefined ? undefined : codecIn(named)), hidesNames };
  }
  if (path === undefined) throw invalidField(KEYS_FILE, `must be set together with ${CODEC}=${BUILT_IN}`);
  const codec = new AesGcmCodec(watchKeys(path));
  return { open: async () => codec, hidesNames };
}

/** The codec that a module exports as `codec` or as its default, itself or by a function. */
async function codecIn(path: string): Promise<PayloadCodec> {
  let module: unknown;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    throw invalidField(CODEC, `neither "${BUILT_IN}" nor a module that can be loaded: ${causeOf(error)}`);
  }
  const exported = memberOf(module, 'codec') ?? memberOf(module, 'default');
  const codec: unknown = isMaker(exported) ? await exported() : exported;
  if (!isCodec(codec))
    throw invalidField(CODEC, `${path} exports no "codec" with encode and decode, nor a function that makes one`);
  return codec;
}

function isMaker(value: unknown): value is () => unknown {
  return typeof value === 'function';
}

function isCodec(value: unknown): value is PayloadCodec {
  return typeof memberOf(value, 'encode') === 'function' && typeof memberOf(value, 'decode') === 'function';
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
