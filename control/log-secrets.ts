// What a log never shows, wherever it stands in a line's fields: pino puts a word in its place.

const NAMES = ['token', 'authorization', 'apiKey', 'key', 'password'];
/** How deep a secret is looked for: fields, what they hold, and headers or causes in that. */
const WITHIN = ['', '*.', '*.*.'];

/** pino's option of this name. */
export const redact = {
  paths: WITHIN.flatMap((within) => NAMES.map((name) => `${within}${name}`)),
  censor: '[secret]',
};
