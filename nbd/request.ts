// A client's request, and the protocol's rules on which requests never reach a device.
import type { NbdErrorCode } from './errors.js';
import { Command, CommandFlag } from './protocol.js';

export interface NbdRequest {
  /** One of `Command`, or any other number that a client sends. */
  readonly type: number;
  readonly flags: number;
  /** The client's id of the request, returned in the reply; 64 bits. */
  readonly cookieHigh: number;
  readonly cookieLow: number;
  /** Bytes. May exceed the safe integers; it is then past the end of any device. */
  readonly offset: number;
  readonly length: number;
  /** A write's data. Undefined for other requests, and when an oversized write was dropped. */
  readonly payload: Buffer | undefined;
}

/** What the rules need to know of an export. */
export interface ExportBounds {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly minimumBlockBytes: number;
  readonly maximumPayloadBytes: number;
  /** Whether structured replies were agreed on. */
  readonly structured: boolean;
  /** Whether the client chose a context, which block status needs. */
  readonly hasContexts: boolean;
}

/** Why a request must be refused, if so. Source: doc/proto.md, "Error values". */
export function refusalOf(request: NbdRequest, bounds: ExportBounds): NbdErrorCode | undefined {
  switch (request.type) {
    case Command.read:
      // FUA means nothing for a read, but some clients set it.
      if ((request.flags & ~(CommandFlag.fua | (bounds.structured ? CommandFlag.df : 0))) !== 0) return 'EINVAL';
      if (request.length > bounds.maximumPayloadBytes) return 'EINVAL';
      return rangeRefusal(request, bounds, 'EINVAL');
    case Command.write:
      if ((request.flags & ~CommandFlag.fua) !== 0) return 'EINVAL';
      if (bounds.readOnly) return 'EPERM';
      if (request.payload === undefined) return 'EINVAL';
      return rangeRefusal(request, bounds, 'ENOSPC');
    case Command.trim:
      if ((request.flags & ~CommandFlag.fua) !== 0) return 'EINVAL';
      if (bounds.readOnly) return 'EPERM';
      return rangeRefusal(request, bounds, 'EINVAL');
    case Command.writeZeroes:
      // FAST_ZERO isn't advertised, so a client that sets it breaks the rules: EINVAL, not ENOTSUP.
      if ((request.flags & ~(CommandFlag.fua | CommandFlag.noHole)) !== 0) return 'EINVAL';
      if (bounds.readOnly) return 'EPERM';
      return rangeRefusal(request, bounds, 'ENOSPC');
    case Command.blockStatus:
      if ((request.flags & ~CommandFlag.requestOne) !== 0) return 'EINVAL';
      if (!bounds.hasContexts || request.length === 0) return 'EINVAL';
      return rangeRefusal(request, bounds, 'EINVAL');
    case Command.flush:
      if ((request.flags & ~CommandFlag.fua) !== 0) return 'EINVAL';
      return request.offset === 0 && request.length === 0 ? undefined : 'EINVAL';
    default:
      return 'EINVAL';
  }
}

function rangeRefusal(request: NbdRequest, bounds: ExportBounds, pastTheEnd: NbdErrorCode): NbdErrorCode | undefined {
  const { offset, length } = request;
  if (length > bounds.sizeBytes || offset > bounds.sizeBytes - length) return pastTheEnd;
  const unaligned = offset % bounds.minimumBlockBytes !== 0 || length % bounds.minimumBlockBytes !== 0;
  return unaligned ? 'EINVAL' : undefined;
}
