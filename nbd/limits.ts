// What one client may cost an NBD server.

export interface NbdLimits {
  /** Open connections; further ones are closed at once. */
  readonly connectionsMax: number;
  /**
   * Requests of one connection that the device hasn't answered; at the limit the socket is paused.
   */
  readonly requestsInFlightMax: number;
  /**
   * Bytes of one connection: payloads the device hasn't answered plus replies the client hasn't
   * read. At the limit the socket is paused; one request may exceed it.
   */
  readonly bytesInFlightMax: number;
  /** Bytes of one read or write. */
  readonly payloadBytesMax: number;
  /** Milliseconds from connecting to the transmission phase. */
  readonly handshakeMsMax: number;
  /**
   * Milliseconds that stopping, or a client's disconnect, waits for unread replies before cutting
   * the connection.
   */
  readonly lingerMsMax: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_NBD_LIMITS: NbdLimits = {
  // A host's virtual volumes times a client's usual few connections each.
  connectionsMax: 1024,
  // Twice fio's and qemu's usual deepest queue (128), so that the limit is met only by runaways.
  requestsInFlightMax: 256,
  // Two largest payloads: one under way and one arriving.
  bytesInFlightMax: 64 * MIB,
  // What clients assume when they weren't told (doc/proto.md, "Block size constraints").
  payloadBytesMax: 32 * MIB,
  // Round trips of a handful of options; generous to people at a prompt.
  handshakeMsMax: 30_000,
  // A live client reads its last replies within a round trip.
  lingerMsMax: 2_000,
};

/**
 * Milliseconds of silence after which TCP asks whether the peer's host still lives: a host that
 * lost power sends no goodbye, and its connection and device would stay open for ever.
 */
export const TCP_KEEP_ALIVE_MS = 30_000;
