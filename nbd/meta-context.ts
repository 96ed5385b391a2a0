// Metadata contexts: what a client may ask about the blocks of an export besides their content.
// Source: doc/proto.md, "Metadata querying".

/** The protocol's own context: which blocks are allocated, and which read as zeroes. */
export const BASE_ALLOCATION = 'base:allocation';

/** The flags of an extent of `base:allocation`. Neither: data, as far as anybody knows. */
export const Allocation = { hole: 1 << 0, zero: 1 << 1 } as const;

/** Blocks that follow one another and have the same status. */
export interface StatusExtent {
  /** Bytes; more than 0. */
  readonly length: number;
  /** What they mean is the context's affair. */
  readonly flags: number;
}

/** A context of one opened export. */
export interface MetaContext {
  readonly name: string;
  /**
   * The extents from `offset` on, at least one. They may end before the range does, and the client
   * asks again for the rest; more than `countMax` are of no use.
   */
  extents(offset: number, length: number, countMax: number): readonly StatusExtent[] | Promise<readonly StatusExtent[]>;
}

/**
 * The extents that answer one request: within its range, neighbours of equal status joined, and no
 * more than `countMax`.
 */
export function answerOf(extents: readonly StatusExtent[], length: number, countMax: number): StatusExtent[] {
  const answer: { length: number; readonly flags: number }[] = [];
  let left = length;
  for (const extent of extents) {
    if (left === 0) break;
    const bytes = Math.min(left, extent.length);
    const last = answer.at(-1);
    if (last?.flags === extent.flags) last.length += bytes;
    else if (answer.length === countMax) break;
    else answer.push({ length: bytes, flags: extent.flags });
    left -= bytes;
  }
  return answer;
}

/**
 * The names among `listed` that a query of LIST_META_CONTEXT asks for: one name, or all that begin
 * with a text that ends in ":" or "/".
 */
export function namesFor(query: string, listed: readonly string[]): readonly string[] {
  if (query.endsWith(':') || query.endsWith('/')) return listed.filter((name) => name.startsWith(query));
  return listed.filter((name) => name === query);
}
