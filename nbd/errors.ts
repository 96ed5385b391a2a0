// How an NBD request or connection fails, and the error number each failure has on the wire.

/** The only error numbers the protocol allows in a reply. */
const ERRNO = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;

export type NbdErrorCode = keyof typeof ERRNO;

/**
 * One request failed; the connection goes on. A block device throws it to choose the client's error
 * number; the client library rejects with it.
 */
export class NbdError extends Error {
  override readonly name = 'NbdError';
  readonly code: NbdErrorCode;
  /** The error's number on the wire (Linux values). */
  readonly errno: number;
  /** The message without the code in front of it. */
  readonly reason: string;

  constructor(code: NbdErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.code = code;
    this.errno = ERRNO[code];
    this.reason = message;
  }
}

/** The connection ended. Requests in flight may or may not have taken effect. */
export class NbdDisconnected extends Error {
  override readonly name = 'NbdDisconnected';
}

/** The peer broke the protocol; the connection can't go on. */
export class NbdProtocolError extends Error {
  override readonly name = 'NbdProtocolError';
}

/** The server refused an option during the handshake, such as opening an export it doesn't have. */
export class NbdRefused extends Error {
  override readonly name = 'NbdRefused';
  /** The option's reply type, one of the `err...` values of `OptionReply`. */
  readonly reply: number;

  constructor(reply: number, message: string) {
    super(message);
    this.reply = reply;
  }
}

/** The error number to answer with: an NbdError's own, EIO for any other error. */
export function errnoOf(error: unknown): number {
  return error instanceof NbdError ? error.errno : ERRNO.EIO;
}

/** The code of an error number in a reply; EINVAL for a number that the protocol doesn't define. */
export function codeOf(errno: number): NbdErrorCode {
  switch (errno) {
    case ERRNO.EPERM:
      return 'EPERM';
    case ERRNO.EIO:
      return 'EIO';
    case ERRNO.ENOMEM:
      return 'ENOMEM';
    case ERRNO.ENOSPC:
      return 'ENOSPC';
    case ERRNO.EOVERFLOW:
      return 'EOVERFLOW';
    case ERRNO.ENOTSUP:
      return 'ENOTSUP';
    case ERRNO.ESHUTDOWN:
      return 'ESHUTDOWN';
    default:
      return 'EINVAL';
  }
}
