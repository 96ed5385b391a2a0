// The value of a payload that the SDK hands on as it came: one in a history or a heartbeat.
import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';

/** The value; undefined for a payload that this client can't decode. */
export async function payloadValue(
  { options: { loadedDataConverter } }: Pick<Client, 'options'>,
  payload: Payload | null | undefined,
): Promise<unknown> {
  if (payload === null || payload === undefined) return undefined;
  const { payloadCodecs, payloadConverter } = loadedDataConverter;
  try {
    let payloads = [payload];
    for (const codec of payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
    const [decoded] = payloads;
    return decoded === undefined ? undefined : payloadConverter.fromPayload(decoded);
  } catch {
    return undefined;
  }
}
