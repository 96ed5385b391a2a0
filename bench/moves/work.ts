// The unit of measurement: one workflow, ours or the peer's.

/** Runs one workflow to its end. @throws Error when it fails */
export type Work = () => Promise<void>;
