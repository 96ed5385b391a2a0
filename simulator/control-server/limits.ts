// The limits of a control server.

/**
 * Largest request body, bytes. The largest legitimate one (a point of 1,024 members, each fenced by
 * an attempt with the longest name) is about half of it.
 */
export const BODY_BYTES_MAX_DEFAULT = 1024 * 1024;
/** Longest time to receive a whole request, ms: a slow client can't hold a connection for ever. */
export const REQUEST_MS_MAX_DEFAULT = 30_000;
/**
 * Time that calls in progress get when the server stops, ms; then they are cut off. Every call may
 * be repeated.
 */
export const STOP_GRACE_MS_DEFAULT = 2_000;

export interface ControlLimits {
  readonly bodyBytesMax?: number | undefined;
  readonly requestMsMax?: number | undefined;
  readonly stopGraceMs?: number | undefined;
}
