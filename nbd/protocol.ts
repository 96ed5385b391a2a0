// The numbers of the NBD wire protocol that this server and client speak.
// Source: NetworkBlockDevice/nbd, doc/proto.md (fixed newstyle, simple and structured replies).

/** The first eight bytes that a server sends. */
export const INIT_MAGIC: Buffer = Buffer.from('NBDMAGIC', 'latin1');
/** Starts the server's newstyle greeting, and each option that a client sends. */
export const OPTION_MAGIC: Buffer = Buffer.from('IHAVEOPT', 'latin1');
/** Starts each reply to an option: 64 bits, as two words. */
export const OPTION_REPLY_MAGIC = { high: 0x0003e889, low: 0x045565a9 } as const;
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

/** Bytes: option magic, option number, data length. */
export const OPTION_HEADER_BYTES = 16;
/** Bytes: reply magic, option number, reply type, data length. */
export const OPTION_REPLY_HEADER_BYTES = 20;
/** Bytes: magic, flags, type, cookie, offset, length. */
export const REQUEST_HEADER_BYTES = 28;
/** Bytes: magic, error, cookie. */
export const REPLY_HEADER_BYTES = 16;
/** Bytes: magic, flags, type, cookie, length. */
export const CHUNK_HEADER_BYTES = 20;
/** Bytes of padding after EXPORT_NAME unless both sides agreed on NO_ZEROES. */
export const EXPORT_NAME_PADDING_BYTES = 124;

/** Handshake flags; the client's flags of the same names have the same values. */
export const HandshakeFlag = { fixedNewstyle: 1, noZeroes: 2 } as const;

export const Option = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

const ERROR_REPLY = 0x80000000;

export const OptionReply = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errUnsupported: ERROR_REPLY + 1,
  errPolicy: ERROR_REPLY + 2,
  errInvalid: ERROR_REPLY + 3,
  errTlsRequired: ERROR_REPLY + 5,
  errUnknown: ERROR_REPLY + 6,
  errShutdown: ERROR_REPLY + 7,
  errTooBig: ERROR_REPLY + 9,
} as const;

/** Whether an option's reply type is one of the error types. */
export function isErrorReply(reply: number): boolean {
  return reply >= ERROR_REPLY;
}

export const Info = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

export const TransmissionFlag = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  sendFlush: 1 << 2,
  sendFua: 1 << 3,
  sendTrim: 1 << 5,
  sendWriteZeroes: 1 << 6,
  sendDf: 1 << 7,
  canMultiConn: 1 << 8,
} as const;

export const Command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export const CommandFlag = { fua: 1 << 0, noHole: 1 << 1, df: 1 << 2, requestOne: 1 << 3, fastZero: 1 << 4 } as const;

/** A structured reply is one chunk or several; the last has this flag. */
export const CHUNK_DONE = 1 << 0;

const ERROR_CHUNK = 1 << 15;

/** The kinds of chunks of a structured reply. */
export const Chunk = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  error: ERROR_CHUNK + 1,
  errorOffset: ERROR_CHUNK + 2,
} as const;

/** Whether a chunk's type is one of the error types. */
export function isErrorChunk(type: number): boolean {
  return type >= ERROR_CHUNK;
}

/** Longest export name the protocol allows, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 4096;

/** Block sizes assumed by either side when none were negotiated, in bytes. */
export const DEFAULT_BLOCK_SIZES = {
  minimum: 1,
  preferred: 4096,
  maximum: 32 * 1024 * 1024,
} as const;

/** One more than the largest 32-bit word: the weight of a 64-bit number's high word. */
export const WORD = 0x1_0000_0000;
