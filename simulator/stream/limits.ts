// The limits of the stream.

/** Largest payload: the largest write NBD clients may send (32 MiB). */
export const PAYLOAD_BYTES_MAX = 32 * 1024 * 1024;
/**
 * Unsent bytes above which `send` asks the sender to wait: some milliseconds of a fast link, so
 * that it never runs dry.
 */
export const HIGH_WATER_BYTES_DEFAULT = 1024 * 1024;
/**
 * Unsent bytes above which the connection is dropped: the sender did not wait. Room for a few of
 * the largest frames.
 */
export const UNSENT_BYTES_MAX = 8 * PAYLOAD_BYTES_MAX;
/** How often each side says that it is still there. */
export const PING_EVERY_MS_DEFAULT = 2_000;
/**
 * Silence after which the other side is taken for gone: several pings, so that one stalled moment
 * is none.
 */
export const SILENCE_MS_MAX_DEFAULT = 10_000;
/**
 * How long a connection that is closed here may take to send what is left and to hear the other
 * side close.
 */
export const CLOSE_GRACE_MS = 1_000;
/** Longest wait for a connection to be made and upgraded. */
export const CONNECT_MS_MAX_DEFAULT = 5_000;
/** Longest refusal of an upgrade that is read, in bytes: one problem+json. */
export const REFUSAL_BYTES_MAX = 64 * 1024;
/**
 * How long a volume may be without credit before either end says so, in milliseconds: for less, any
 * busy volume may wait.
 */
export const STALL_TOLD_AFTER_MS = 1_000;
