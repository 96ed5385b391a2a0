// Sums up vitest's JSON reports in a folder: prints each failed test with its message, then the
// closing line "N passed, N failed". Fails if a test did not run. Failures are repeated here
// because the end of a long output is what people read, and often all that is kept.
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Lines shown of a failure's message: expected and received values, and the place in the test. */
const MESSAGE_LINES_MAX = 25;

const [folder = '.'] = process.argv.slice(2);

const counts = { passed: 0, failed: 0, notRun: 0 };
for (const name of await readdir(folder)) {
  const report = JSON.parse(await readFile(join(folder, name), 'utf8'));
  if (!Array.isArray(report.testResults)) continue;
  counts.passed += report.numPassedTests;
  counts.notRun += report.numPendingTests + report.numTodoTests;
  for (const file of report.testResults) {
    const failures = failuresOf(file);
    counts.failed += failures.length;
    for (const failure of failures) tell(file, failure);
  }
}

if (counts.notRun > 0) {
  console.error(`${counts.notRun} tests were skipped or are marked todo: every test must run.`);
  process.exitCode = 1;
}
if (counts.passed === 0) process.exitCode = 1;
console.log(`${counts.passed} passed, ${counts.failed} failed`);

/**
 * The failures of a file. A file that fails before its tests are known (an import) counts as one.
 */
function failuresOf({ status, message, assertionResults }) {
  const broken = status === 'failed' && assertionResults.length === 0;
  return broken
    ? [{ fullName: 'the file itself', failureMessages: [message] }]
    : assertionResults.filter((result) => result.status === 'failed');
}

function tell(file, { fullName, failureMessages }) {
  console.log(`FAILED ${relative(process.cwd(), file.name)}: ${fullName}`);
  const lines = failureMessages
    .flatMap((message) => stripVTControlCharacters(message).split('\n'))
    .filter((line) => !line.includes('/node_modules/'));
  for (const line of lines.slice(0, MESSAGE_LINES_MAX)) console.log(`  ${line}`);
  if (lines.length > MESSAGE_LINES_MAX) console.log(`  (${lines.length - MESSAGE_LINES_MAX} lines more above)`);
  console.log('');
}
