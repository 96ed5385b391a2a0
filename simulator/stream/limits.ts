// The limits of the stream.

/** Largest payload, bytes: the largest write that NBD clients may send (32 MiB). */
export const PAYLOAD_BYTES_MAX = 32 * 1024 * 1024;
/**
 * Unsent bytes above which `send` asks the sender to wait: some milliseconds of a fast link, so
 * that the link never runs dry.
 */
export const HIGH_WATER_BYTES_DEFAULT = 1024 * 1024;
/**
 * Unsent bytes above which the connection is dropped, as its sender doesn't wait. Room for a few of
 * the largest frames.
 */
export const UNSENT_BYTES_MAX = 8 * PAYLOAD_BYTES_MAX;
/** Time between pings, ms. */
export const PING_EVERY_MS_DEFAULT = 2_000;
/**
 * Silence after which the peer counts as gone, ms: several pings, so that a short stall doesn't end
 * the connection.
 */
export const SILENCE_MS_MAX_DEFAULT = 10_000;
/** Longest close, ms: sends what is left and waits for the peer to close. */
export const CLOSE_GRACE_MS = 1_000;
/** Longest wait for a connection and its upgrade, ms. */
export const CONNECT_MS_MAX_DEFAULT = 5_000;
/** Longest refusal of an upgrade that is read, bytes: one problem+json. */
export const REFUSAL_BYTES_MAX = 64 * 1024;
/**
 * Time without credit after which either end reports a volume as stalled, ms. A busy volume waits
 * for less.
 */
export const STALL_SHOWN_AFTER_MS = 1_000;
