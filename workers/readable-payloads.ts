// Input that is no JSON at all would fail the workflow task before any code of a workflow runs, and
// Temporal tries that for ever. It is handed on as a text instead, which the workflow's own check
// then refuses.
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
