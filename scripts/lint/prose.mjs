// Lint rules for the prose in comments: a comment fits beside the code, and a docstring names its
// subject first.

/** Widest line of a comment, columns. */
const COLUMNS_MAX = 100;

/** A directive to a tool, which must be on one line. */
const DIRECTIVE = /^\s*\/\/ (?:oxlint-|@ts-)/;

/** First words that put a circumstance before the subject. */
const CIRCUMSTANCES = new Set(
  `about above across after against along among around as at before behind below beside besides between beyond by during
  for from in inside into of off on onto out outside over past per since through throughout to toward towards under until
  up upon with within without`.split(/\s+/),
);

/**
 * @param {string} line
 * @returns {boolean} whether it is too wide and can be broken; a long address can't
 */
function isTooWide(line) {
  if (line.length <= COLUMNS_MAX || DIRECTIVE.test(line)) return false;
  return line.lastIndexOf(' ', COLUMNS_MAX) > line.search(/[^\s/*]/);
}

const commentWidth = {
  meta: { type: 'layout' },
  create(context) {
    return {
      Program() {
        const { lines } = context.sourceCode;
        for (const comment of context.sourceCode.getAllComments()) {
          const { start, end } = comment.loc;
          // A comment behind code may be as wide as the formatter allows.
          if (lines[start.line - 1].slice(0, start.column).trim() !== '') continue;
          for (let number = start.line; number <= end.line; number += 1) {
            const line = lines[number - 1];
            if (!isTooWide(line)) continue;
            const at = { line: number, column: COLUMNS_MAX };
            const loc = { start: at, end: { line: number, column: line.length } };
            context.report({ loc, message: `A comment has at most ${COLUMNS_MAX} columns; break the line.` });
          }
        }
      },
    };
  },
};

const docSubjectFirst = {
  meta: { type: 'suggestion' },
  create(context) {
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          if (comment.type !== 'Block' || !comment.value.startsWith('*')) continue;
          const first = /^\*[\s*]*([A-Za-z]+)/.exec(comment.value)?.[1];
          if (first === undefined || !CIRCUMSTANCES.has(first.toLowerCase())) continue;
          const message = `A docstring says first what the thing is or does, not "${first} …".`;
          context.report({ loc: comment.loc, message });
        }
      },
    };
  },
};

export default {
  meta: { name: 'prose' },
  rules: { 'comment-width': commentWidth, 'doc-subject-first': docSubjectFirst },
};
