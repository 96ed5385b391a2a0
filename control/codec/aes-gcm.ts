// The built-in codec: AES-256-GCM. Its payloads have the form of the encryption samples of
// Temporal's SDKs, so that programs in other languages can read them with the same keys.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { type CodecKeys, KEYS_FILE } from './keys-file.js';
import { payloadFromBytes, payloadToBytes } from './payload-bytes.js';

const CIPHER = 'aes-256-gcm';
const ENCODING = 'encoding';
const ENCRYPTED = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
/** What NIST SP 800-38D recommends. A key is safe for 2^32 payloads with random ones. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Whether a payload is in the form of an encrypting codec. */
export function isEncrypted({ metadata }: Payload): boolean {
  return textOf(metadata?.[ENCODING]) === ENCRYPTED;
}

/**
 * Encrypts each payload whole, its encoding too. Decrypts those in its own form and passes others,
 * so that workflows that were started before it go on.
 * @param keys read at each call: its file may be replaced
 */
export class AesGcmCodec implements PayloadCodec {
  readonly #keys: { readonly content: CodecKeys };

  constructor(keys: { readonly content: CodecKeys }) {
    this.#keys = keys;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    const { id, key } = this.#keys.content.current;
    return payloads.map((payload) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      const hidden = Buffer.concat([cipher.update(payloadToBytes(payload)), cipher.final()]);
      return {
        metadata: { [ENCODING]: Buffer.from(ENCRYPTED), [KEY_ID]: Buffer.from(id) },
        data: Buffer.concat([nonce, hidden, cipher.getAuthTag()]),
      };
    });
  }

  /** @throws Error for a payload of a key that is not in the file, and for one that was changed */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => (isEncrypted(payload) ? this.#decrypt(payload) : payload));
  }

  #decrypt({ metadata, data }: Payload): Payload {
    const id = textOf(metadata?.[KEY_ID]);
    const found = this.#keys.content.byId.get(id);
    if (found === undefined)
      throw new Error(
        `A payload is encrypted with key "${id}", which the file of ${KEYS_FILE} does not have. Nothing is lost: add that key to the end of the file, and it is read.`,
      );
    const bytes = Buffer.from(data ?? []);
    const end = bytes.length - TAG_BYTES;
    try {
      const cipher = createDecipheriv(CIPHER, found.key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      cipher.setAuthTag(bytes.subarray(end));
      return payloadFromBytes(Buffer.concat([cipher.update(bytes.subarray(NONCE_BYTES, end)), cipher.final()]));
    } catch (cause) {
      throw new Error(
        `A payload that is encrypted with key "${id}" can't be read: it was changed, or the key of that id in the file of ${KEYS_FILE} is another one.`,
        { cause },
      );
    }
  }
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}
