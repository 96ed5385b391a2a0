// A client's request, and the protocol's rules on which requests a device must never see.
import type { NbdErrorCode } from './errors.js';
import { Command, CommandFlag } from './protocol.js';

export interface NbdRequest {
  /** One of `Command`, or anything a client made up. */
  readonly type: number;
  readonly flags: number;
  /** The client's name for the request, given back in the reply; 64 bits. */
  readonly cookieHigh: number;
  readonly cookieLow: number;
  /** Bytes. May exceed the safe integers, and is then past the end of any device. */
  readonly offset: number;
  readonly length: number;
  /**
   * A write's data; undefined for other requests, and for a write too large to take (its data was
   * dropped).
   */
  readonly payload: Buffer | undefined;
}

/** What the rules need to know about an export. */
export interface ExportBounds {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly minimumBlockBytes: number;
  readonly maximumPayloadBytes: number;
}

/**
 * Why a request must be refused, or undefined if the device may have it. Source: doc/proto.md,
 * "Error values".
 */
export function refusalOf(request: NbdRequest, bounds: ExportBounds): NbdErrorCode | undefined {
  switch (request.type) {
    case Command.read:
      // FUA means nothing for a read, but clients are known to set it.
      if ((request.flags & ~CommandFlag.fua) !== 0) return 'EINVAL';
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
