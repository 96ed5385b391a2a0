// Encodes frames to bytes.
import type { AttachedFrame, AttachFrame, Frame } from './frame.js';
import { encodeHeader } from './header.js';
import { PAYLOAD_BYTES_MAX } from './limits.js';
import { encodeJson } from './payload.js';

const NOTHING = Buffer.alloc(0);

/**
 * Encodes a frame: its header and, if it has one, its payload. A write's data isn't copied, so it
 * must not change until it is sent.
 * @throws RangeError for a number that doesn't fit its field, or data beyond PAYLOAD_BYTES_MAX
 */
export function encodeFrame(frame: Frame): Buffer[] {
  const payload = payloadOf(frame);
  if (payload.length > PAYLOAD_BYTES_MAX) {
    throw new RangeError(`a payload of ${payload.length} bytes is beyond the limit of ${PAYLOAD_BYTES_MAX}`);
  }
  const header = encodeHeader(frame, payload);
  return payload.length === 0 ? [header] : [header, payload];
}

function payloadOf(frame: Frame): Buffer {
  switch (frame.type) {
    case 'write':
      return frame.data;
    case 'hello':
      return encodeJson({ splitter: frame.splitter, controlUrl: frame.controlUrl });
    case 'attach':
      return encodeJson(attachBody(frame));
    case 'refused':
      return encodeJson({ code: frame.code, message: frame.message, advice: frame.advice });
    case 'credit':
      return encodeJson({ grantedBytes: frame.grantedBytes, unappliedBytes: frame.unappliedBytes });
    case 'initBegin':
      return encodeJson({ sinceMs: frame.sinceMs, reason: frame.reason });
    case 'attached':
      return encodeJson(attachedBody(frame));
    case 'detach':
    case 'zeroes':
    case 'initEnd':
    case 'receipt':
    case 'pause':
    case 'resume':
    case 'ping':
    case 'pong':
      return NOTHING;
  }
}

/** The fields of an attached frame that have no place in the header. */
function attachedBody({ type: _type, handle: _handle, session: _session, n: _n, ...body }: AttachedFrame): object {
  return body;
}

/** The fields of an attach frame that have no place in the header. */
function attachBody({ type: _type, handle: _handle, session: _session, epoch: _epoch, ...body }: AttachFrame): object {
  return body;
}
