// Decodes the bytes of one complete frame, whose checksums have been verified.
import { MoverError } from '../../contracts/errors.js';
import type { Frame, RawFrame } from './frame.js';
import { decodeHeader, TYPE_CODES, typeCodeOf } from './header.js';
import {
  attachedPayload,
  attachPayload,
  creditPayload,
  decodeJson,
  helloPayload,
  initBeginPayload,
  refusedPayload,
} from './payload.js';

const KNOWN_CODES: ReadonlySet<number> = new Set(Object.values(TYPE_CODES));

/**
 * Decodes a frame.
 * @throws MoverError INVALID_REQUEST for an unknown type, a payload that doesn't fit its type, or a
 * number out of range
 */
export function decodeFrame({ header, payload }: RawFrame): Frame {
  const { handle, session, n, epoch, timeMs, offset, length } = decodeHeader(header);
  const code = typeCodeOf(header);
  if (!KNOWN_CODES.has(code)) throw unknownType(code);
  switch (code) {
    case TYPE_CODES.write:
      return { type: 'write', handle, session, n, epoch, timeMs, offset, data: payload };
    case TYPE_CODES.hello:
      return { type: 'hello', ...decodeJson(helloPayload, payload, 'hello') };
    case TYPE_CODES.attach:
      return { type: 'attach', handle, epoch, session, ...decodeJson(attachPayload, payload, 'attach') };
    case TYPE_CODES.attached:
      return { type: 'attached', handle, session, n, ...decodeJson(attachedPayload, payload, 'attached') };
    case TYPE_CODES.refused:
      return { type: 'refused', handle, ...decodeJson(refusedPayload, payload, 'refused') };
    case TYPE_CODES.credit:
      return { type: 'credit', handle, ...decodeJson(creditPayload, payload, 'credit') };
    case TYPE_CODES.initBegin:
      return {
        type: 'initBegin',
        handle,
        session,
        n,
        epoch,
        timeMs,
        ...decodeJson(initBeginPayload, payload, 'initBegin'),
      };
  }
  if (payload.length > 0)
    throw new MoverError('INVALID_REQUEST', `A frame of type ${code} came with a payload; that type has none.`);
  switch (code) {
    case TYPE_CODES.receipt:
      return { type: 'receipt', handle, session, n, epoch };
    case TYPE_CODES.zeroes:
      return { type: 'zeroes', handle, session, n, epoch, timeMs, offset, length };
    case TYPE_CODES.initEnd:
      return { type: 'initEnd', handle, session, n, epoch, timeMs };
    case TYPE_CODES.detach:
      return { type: 'detach', handle };
    case TYPE_CODES.pause:
      return { type: 'pause', handle };
    case TYPE_CODES.resume:
      return { type: 'resume', handle };
    case TYPE_CODES.ping:
      return { type: 'ping' };
    case TYPE_CODES.pong:
      return { type: 'pong' };
    default:
      throw unknownType(code);
  }
}

function unknownType(code: number): MoverError {
  return new MoverError('INVALID_REQUEST', `There is no frame of type ${code} in this version of the stream.`);
}
