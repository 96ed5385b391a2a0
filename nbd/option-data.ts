// Parses the data of the options that a client sends.

/** What SET_META_CONTEXT and LIST_META_CONTEXT ask for. */
export interface ContextQueries {
  readonly exportName: string;
  readonly queries: readonly string[];
}

/** The name in the data of INFO or GO; undefined when the data's lengths contradict each other. */
export function nameAskedFor(data: Buffer): string | undefined {
  if (data.length < 6) return undefined;
  const nameBytes = data.readUInt32BE(0);
  if (nameBytes > data.length - 6) return undefined;
  const requests = data.readUInt16BE(4 + nameBytes);
  if (data.length !== 6 + nameBytes + 2 * requests) return undefined;
  return data.toString('utf8', 4, 4 + nameBytes);
}

/** The queries of a context option; undefined when the data's lengths contradict each other. */
export function contextQueries(data: Buffer): ContextQueries | undefined {
  const name = textAt(data, 0);
  if (name === undefined || data.length < name.end + 4) return undefined;
  const count = data.readUInt32BE(name.end);
  const queries: string[] = [];
  let at = name.end + 4;
  for (let index = 0; index < count; index += 1) {
    const query = textAt(data, at);
    if (query === undefined) return undefined;
    queries.push(query.text);
    at = query.end;
  }
  return at === data.length ? { exportName: name.text, queries } : undefined;
}

/** A text with its length before it. */
function textAt(data: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
  if (data.length < at + 4) return undefined;
  const end = at + 4 + data.readUInt32BE(at);
  return end > data.length ? undefined : { text: data.toString('utf8', at + 4, end), end };
}
