// Names by a pattern that people know from their shell. Without a regular expression: those of some
// patterns take for ever.

/**
 * `*` stands for any characters, none included, `?` for exactly one; everything else for itself.
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
      // The last star takes one character more.
      starAt += 1;
      n = starAt;
      p = star + 1;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/** What every name of the pattern begins with: a sorted listing is only looked at there. */
export function prefixOf(pattern: string): string {
  return /^[^*?]*/.exec(pattern)?.[0] ?? '';
}
