// Limits on what clients may cost an NBD server, one by one and together.
import type { MemoryLimits } from './memory.js';

export interface NbdLimits {
  /** Open connections; a further one is closed at once. */
  readonly connectionsMax: number;
  /**
   * Requests of one connection that the device hasn't answered; at the limit, the socket pauses.
   */
  readonly requestsInFlightMax: number;
  /**
   * Bytes of one connection: payloads the device hasn't answered plus replies the client hasn't
   * read. At the limit the socket is paused; one request may exceed it.
   */
  readonly bytesInFlightMax: number;
  /** Memory of all connections together: see `ServerMemory`. */
  readonly memory: MemoryLimits;
  /** Bytes of one read or write. */
  readonly payloadBytesMax: number;
  /** Milliseconds from connecting to the transmission phase. */
  readonly handshakeMsMax: number;
  /** Milliseconds to wait for the client to read its replies before cutting the connection. */
  readonly lingerMsMax: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_NBD_LIMITS: NbdLimits = {
  // A host's virtual volumes times a client's usual few connections each.
  connectionsMax: 1024,
  // Twice the usual deepest queue of fio and qemu (128): only a runaway client meets it.
  requestsInFlightMax: 256,
  // Two of the largest payloads: one in flight and one arriving.
  bytesInFlightMax: 64 * MIB,
  // Four of the largest payloads beside 128 KiB for each of 1024 connections, so 256 MiB in all.
  // Two seconds: a live client on a bad link is faster than that.
  memory: { ownBytesMax: 128 * KIB, sharedBytesMax: 128 * MIB, slowMsMax: 2_000 },
  // What clients assume unless told otherwise (doc/proto.md, "Block size constraints").
  payloadBytesMax: 32 * MIB,
  // A few round trips of options, with time for a person at a prompt.
  handshakeMsMax: 30_000,
  // A live client reads its last replies within a round trip.
  lingerMsMax: 2_000,
};

/**
 * Milliseconds of silence before TCP probes the peer. A host that lost power sends no goodbye:
 * without probes its connection and device would stay open for ever.
 */
export const TCP_KEEP_ALIVE_MS = 30_000;
