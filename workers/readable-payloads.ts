// Passes input that is no JSON to the workflow as text, which its own check then refuses. Otherwise
// it would fail the workflow task before any code of the workflow runs, and Temporal would retry
// that for ever.
import { isEncrypted } from '../control/codec/aes-gcm.js';
import { CODEC } from '../control/codec/read-codec.js';
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';

/**
 * A worker that lacks the codec of the others must not refuse for good what it can't read: the task
 * is retried until a worker has the codec.
 */
const ENCRYPTED = `A payload is encrypted, and this worker has no codec for it. Nothing is lost: set ${CODEC} as for the other workers and the clients, and start the worker again.`;

export const readablePayloads: PayloadCodec = {
  encode: async (payloads) => payloads,
  decode: async (payloads) => payloads.map(readable),
};

function readable(payload: Payload): Payload {
  try {
    defaultPayloadConverter.fromPayload(payload);
    return payload;
  } catch {
    if (isEncrypted(payload)) throw new Error(ENCRYPTED);
    return defaultPayloadConverter.toPayload(new TextDecoder().decode(payload.data ?? undefined));
  }
}
