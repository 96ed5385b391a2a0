// Where set-up talks: standard error only, so that a command's own standard output stays clean for
// pipes.

/** Writes one line about set-up to standard error. @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`);
}
