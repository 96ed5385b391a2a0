// Prints set-up messages, to standard error only: standard output stays clean for pipes.

/** Writes one line about set-up to standard error. @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`);
}
