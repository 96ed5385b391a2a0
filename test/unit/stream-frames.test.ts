// Frames as bytes: any chunks decode to the same frames, and any change of a byte is detected.
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { costOf } from '../../simulator/stream/credit.js';
import { FrameDecoder } from '../../simulator/stream/decoder.js';
import { encodeFrame } from '../../simulator/stream/encode.js';
import type { Frame, RecordFrame } from '../../simulator/stream/frame.js';
import { withHandle } from '../../simulator/stream/header.js';
import { PAYLOAD_BYTES_MAX } from '../../simulator/stream/limits.js';
import { frames, writeFrame } from './stream-fixture.js';

const AT_PLACE = { handle: 1, session: 1, n: 1, epoch: 1, timeMs: 0 };
const bytesOf = (...sent: readonly Frame[]): Buffer => Buffer.concat(sent.flatMap(encodeFrame));
const decode = (...chunks: readonly Buffer[]): Frame[] => {
  const decoder = new FrameDecoder();
  return chunks.flatMap((chunk) => decoder.push(chunk)).map(({ frame }) => frame);
};

/** A header changed by `change`, its checksum made right again: what a faulty vendor would send. */
function tampered(frame: Frame, change: (header: Buffer) => void): Buffer {
  const [header = Buffer.alloc(0), ...payload] = encodeFrame(frame);
  change(header);
  header.writeUInt32BE(crc32(header.subarray(0, 60)), 60);
  return Buffer.concat([header, ...payload]);
}

test('every frame comes back as it was, whatever the chunks', () => {
  fc.assert(
    fc.property(
      fc.array(frames, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
      (sent, sizes) => {
        const bytes = bytesOf(...sent);
        const chunks: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i += 1) {
          const size = sizes[i % sizes.length] ?? 1;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(decode(...chunks)).toEqual(sent);
      },
    ),
  );
});

test('a frame comes back byte by byte', () => {
  const sent = [writeFrame(1), { type: 'ping' } as const, writeFrame(2, Buffer.alloc(0))];
  expect(decode(...[...bytesOf(...sent)].map((byte) => Buffer.from([byte])))).toEqual(sent);
});

test('any changed byte is detected', () => {
  fc.assert(
    fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, place, flip) => {
      const bytes = bytesOf(frame);
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ flip;
      expect(() => decode(bytes)).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
    }),
    { numRuns: 500 },
  );
});

test('a lost or an additional byte is detected before a later frame could be taken wrongly', () => {
  fc.assert(
    fc.property(fc.array(frames, { minLength: 2, maxLength: 4 }), fc.nat(), fc.boolean(), (sent, place, lost) => {
      const bytes = bytesOf(...sent);
      const at = place % bytes.length;
      const altered = lost
        ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
        : Buffer.concat([bytes.subarray(0, at), Buffer.from([0xaa]), bytes.subarray(at)]);
      const decoder = new FrameDecoder();
      try {
        const got = decoder.push(altered).map(({ frame }) => frame);
        expect(got).toEqual(sent.slice(0, got.length));
        expect(decoder.atBoundary).toBe(false);
      } catch (error) {
        expect(error).toMatchObject({ code: 'CORRUPT' });
      }
    }),
  );
});

test('after an error the decoder finds nothing more', () => {
  const decoder = new FrameDecoder();
  expect(() => decoder.push(Buffer.alloc(64))).toThrow('out of step');
  expect(() => decoder.push(bytesOf(writeFrame(1)))).toThrow('out of step');
});

test('the data of a write is sent and received without a copy', () => {
  const data = Buffer.alloc(4096, 1);
  expect(encodeFrame(writeFrame(1, data))[1]).toBe(data);
  const chunk = bytesOf(writeFrame(1, data), writeFrame(2, data));
  const received = new FrameDecoder().push(chunk);
  expect(received.map(({ raw }) => raw.payload.buffer)).toEqual([chunk.buffer, chunk.buffer]);
  expect(received.map(({ frame }) => frame.type === 'write' && frame.data.buffer === chunk.buffer)).toEqual([
    true,
    true,
  ]);
});

test('the largest payload passes and one byte more does not', () => {
  const largest = writeFrame(1, Buffer.alloc(PAYLOAD_BYTES_MAX, 7));
  expect(decode(bytesOf(largest))).toHaveLength(1);
  expect(() => encodeFrame(writeFrame(1, Buffer.alloc(PAYLOAD_BYTES_MAX + 1)))).toThrow(RangeError);
  const beyond = tampered({ type: 'ping' }, (header) => header.writeUInt32BE(PAYLOAD_BYTES_MAX + 1, 12));
  expect(() => decode(beyond)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
});

test.each<[string, Buffer]>([
  ['an unknown type', tampered({ type: 'ping' }, (header) => header.writeUInt8(99, 4))],
  ['a number beyond 2^53 - 1', tampered(writeFrame(1), (header) => header.writeUInt32BE(0x0020_0000, 20))],
  ['a time that is none', tampered(writeFrame(1), (header) => header.writeDoubleBE(Number.NaN, 32))],
  ['a negative time', tampered(writeFrame(1), (header) => header.writeDoubleBE(-1, 32))],
  ['a payload where there is none', tampered(writeFrame(1), (header) => header.writeUInt8(10, 4))],
  ['a JSON payload that is not JSON', tampered(writeFrame(1), (header) => header.writeUInt8(1, 4))],
  [
    'a JSON payload with an unknown field',
    tampered(writeFrame(1, Buffer.from('{"splitter":"s","controlUrl":"http://a","x":1}')), (header) =>
      header.writeUInt8(1, 4),
    ),
  ],
])('%s is refused as INVALID_REQUEST', (_what, bytes) => {
  expect(() => decode(bytes)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
});

test.each([
  ['a session beyond 32 bits', { session: 2 ** 32 }],
  ['a negative number', { n: -1 }],
  ['a broken number', { n: 1.5 }],
  ['an unsafe offset', { offset: 2 ** 53 }],
])('%s cannot be encoded', (_what, fields) => {
  expect(() => encodeFrame({ ...writeFrame(1), ...fields })).toThrow(RangeError);
});

test('a type of a newer peer is told as such, with a payload too', () => {
  const newer = tampered(writeFrame(1), (header) => header.writeUInt8(99, 4));
  expect(() => decode(newer)).toThrow('There is no frame of type 99 in this version of the stream.');
});

test('a header under another handle is valid and differs in nothing else', () => {
  const [received] = new FrameDecoder().push(bytesOf(writeFrame(5)));
  if (received === undefined) throw new Error('no frame');
  expect(decode(withHandle(received.raw.header, 77), received.raw.payload)).toEqual([{ ...writeFrame(5), handle: 77 }]);
});

test.each<{ costBytes: number; record: RecordFrame }>([
  { costBytes: 256 + 300, record: { ...AT_PLACE, type: 'write', offset: 0, data: Buffer.alloc(300) } },
  { costBytes: 256, record: { ...AT_PLACE, type: 'zeroes', offset: 0, length: 1_000_000 } },
  { costBytes: 256 + 5, record: { ...AT_PLACE, type: 'initBegin', sinceMs: 0, reason: 'naïf' } },
  { costBytes: 256, record: { ...AT_PLACE, type: 'initEnd' } },
])('a record costs $costBytes bytes of credit at either end: $record.type', ({ costBytes, record }) => {
  expect(costOf(record)).toBe(costBytes);
  expect(decode(bytesOf(record)).map((received) => costOf(received as RecordFrame))).toEqual([costBytes]);
});

test('the bytes are those of the description for vendors', () => {
  const bytes = bytesOf({
    type: 'write',
    handle: 0x01020304,
    session: 0x05060708,
    n: 0x0001_0203_0405_06,
    epoch: 0x090a0b0c,
    timeMs: 1.5,
    offset: 4096,
    data: Buffer.from('hello'),
  });
  expect(bytes.toString('hex')).toBe(
    [
      '564d5331', // magic
      '06000000', // type write, reserved
      '01020304', // handle
      '00000005', // payload length
      '05060708', // session
      '0000010203040506', // n
      '090a0b0c', // epoch
      '3ff8000000000000', // timeMs
      '0000000000001000', // offset
      '0000000000000000', // length
      '3610a686', // CRC-32 of "hello"
      'b0f27fc6', // CRC-32 of the 60 bytes before
      '68656c6c6f', // "hello"
    ].join(''),
  );
});
