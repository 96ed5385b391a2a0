// Adds up vitest's JSON reports in a folder and prints the closing line "N passed, N failed"; fails if a test did not run.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const [folder = '.'] = process.argv.slice(2);

const counts = { passed: 0, failed: 0, notRun: 0 };
for (const name of await readdir(folder)) {
  const report = JSON.parse(await readFile(join(folder, name), 'utf8'));
  if (!Array.isArray(report.testResults)) continue;
  counts.passed += report.numPassedTests;
  counts.notRun += report.numPendingTests + report.numTodoTests;
  // A file that fails before its tests are known, say by an import, counts as one failure.
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  counts.failed += report.numFailedTests + brokenFiles.length;
}

if (counts.notRun > 0) {
  console.error(`${counts.notRun} tests were skipped or are still to do: every test must run.`);
  process.exitCode = 1;
}
if (counts.passed === 0) process.exitCode = 1;
console.log(`${counts.passed} passed, ${counts.failed} failed`);
