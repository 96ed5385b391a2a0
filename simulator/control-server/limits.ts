// The limits of a control server.

/**
 * The largest legitimate request, a point of 1,024 members each fenced by an attempt with the
 * longest name, is about half of it.
 */
export const BODY_BYTES_MAX_DEFAULT = 1024 * 1024;
/**
 * How long a client may take to send one whole request, so that slow ones cannot hold connections
 * for ever.
 */
export const REQUEST_MS_MAX_DEFAULT = 30_000;
/**
 * How long calls under way may go on once the server is being stopped; then they are cut off. All
 * may be repeated.
 */
export const STOP_GRACE_MS_DEFAULT = 2_000;

export interface ControlLimits {
  readonly bodyBytesMax?: number | undefined;
  readonly requestMsMax?: number | undefined;
  readonly stopGraceMs?: number | undefined;
}
