// Matches names against shell patterns. It uses no regular expression, as some patterns would take
// one for ever.

/**
 * Whether a name matches. `*` stands for any characters, or none; `?` for exactly one; others for
 * themselves.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let p = 0;
  let star = -1;
  let starAt = 0;
  for (let n = 0; n < name.length;) {
    const wanted = pattern[p];
    if (wanted === '*') {
      star = p;
      starAt = n;
      p += 1;
    } else if (wanted === '?' || wanted === name[n]) {
      p += 1;
      n += 1;
    } else if (star >= 0) {
      // Let the last star take one character more.
      starAt += 1;
      n = starAt;
      p = star + 1;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/** The prefix of every name that matches: only that part of a sorted listing must be searched. */
export function prefixOf(pattern: string): string {
  return /^[^*?]*/.exec(pattern)?.[0] ?? '';
}
