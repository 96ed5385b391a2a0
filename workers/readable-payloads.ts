// Passes input that is no JSON to the workflow as text, which its own check then refuses. Otherwise
// it would fail the workflow task before any code of the workflow runs, and Temporal would retry
// that for ever.
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';

export const readablePayloads: PayloadCodec = {
  encode: async (payloads) => payloads,
  decode: async (payloads) => payloads.map(readable),
};

function readable(payload: Payload): Payload {
  try {
    defaultPayloadConverter.fromPayload(payload);
    return payload;
  } catch {
    return defaultPayloadConverter.toPayload(new TextDecoder().decode(payload.data ?? undefined));
  }
}
