// A payload as bytes and back: the form of `temporal.api.common.v1.Payload` in protobuf. A codec
// encrypts these bytes, as those of Temporal's other SDKs do.
import type { Payload } from '@temporalio/common';

/** Tags of protobuf: the field's number, and 2 for "length, then bytes". */
const METADATA = 0x0a;
const DATA = 0x12;
const KEY = 0x0a;
const VALUE = 0x12;
const LENGTH_DELIMITED = 2;
const BITS = 7;
const MORE = 0x80;

export function payloadToBytes({ metadata, data }: Payload): Buffer {
  const entries = Object.entries(metadata ?? {}).map(([key, value]) =>
    field(METADATA, Buffer.concat([field(KEY, Buffer.from(key)), field(VALUE, value)])),
  );
  // protobuf writes no field for nothing.
  const content = data ?? new Uint8Array();
  return Buffer.concat([...entries, ...(content.length === 0 ? [] : [field(DATA, content)])]);
}

/** @throws Error when the bytes are no payload */
export function payloadFromBytes(bytes: Uint8Array): Payload {
  const metadata = new Map<string, Uint8Array>();
  let data: Uint8Array = new Uint8Array();
  for (const { tag, content } of fieldsOf(bytes)) {
    if (tag === DATA) data = content;
    if (tag !== METADATA) continue;
    const entry = new Map(fieldsOf(content).map((part) => [part.tag, part.content]));
    metadata.set(Buffer.from(entry.get(KEY) ?? []).toString(), entry.get(VALUE) ?? new Uint8Array());
  }
  return { metadata: Object.fromEntries(metadata), data };
}

function field(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag]), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left >= MORE) {
    bytes.push((left % MORE) + MORE);
    left = Math.floor(left / MORE);
  }
  return Buffer.from([...bytes, left]);
}

interface Field {
  readonly tag: number;
  readonly content: Uint8Array;
}

function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += BITS) {
      const byte = bytes[at];
      at += 1;
      if (byte === undefined || shift > 4 * BITS) throw new Error('The bytes are no payload.');
      value += (byte % MORE) * 2 ** shift;
      if (byte < MORE) return value;
    }
  };
  while (at < bytes.length) {
    const tag = readVarint();
    const length = readVarint();
    if (tag % 8 !== LENGTH_DELIMITED || at + length > bytes.length) throw new Error('The bytes are no payload.');
    fields.push({ tag, content: bytes.slice(at, at + length) });
    at += length;
  }
  return fields;
}
