// The kit for vendors beside its page, and how it tells what it found.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Finding } from '../../conformance/finding.js';
import { junitOf, reportText, totalsOf } from '../../conformance/report.js';
import { SPLITTER_CLAUSES } from '../../conformance/splitter/clauses.js';
import { checkSplitter } from '../../conformance/splitter/run.js';

const VOLUME = 'v1';
const FINDINGS: readonly Finding[] = [
  { clause: 'S3.4', title: 'notify may be repeated.', volume: VOLUME, result: 'pass' },
  {
    clause: 'S3.9',
    title: 'A repeated fence answers the same cut.',
    volume: VOLUME,
    result: 'fail',
    evidence: { sent: 'fence "again"', expected: '{"n":1}', came: '<n=2 & more>' },
  },
  { clause: 'S5.1', title: 'A restart has a new life.', volume: VOLUME, result: 'skip', reason: 'no command' },
];

test('the page lists the clauses of the kit, and no others', async () => {
  const page = await readFile(new URL('../../docs/api/conformance.md', import.meta.url), 'utf8');
  const listed = [...page.matchAll(/^\| (S\d+\.\d+) +\| (.*?) +\|$/gm)].map(([, clause, text]) => [clause, text]);
  expect(Object.fromEntries(listed)).toEqual(SPLITTER_CLAUSES);
  expect(listed).toHaveLength(Object.keys(SPLITTER_CLAUSES).length);
});

test('a failure is told with what was sent, what was expected and what came', () => {
  expect(reportText(FINDINGS)).toBe(
    [
      'Volume v1',
      '✓ S3.4   notify may be repeated.',
      '✗ S3.9   A repeated fence answers the same cut.',
      '    sent      fence "again"',
      '    expected  {"n":1}',
      '    came      <n=2 & more>',
      '- S5.1   A restart has a new life.',
      '    skipped: no command',
      '',
      '1 passed, 1 failed, 1 skipped.',
    ].join('\n'),
  );
  expect(totalsOf(FINDINGS)).toEqual({ passed: 1, failed: 1, skipped: 1 });
});

test('JUnit has each finding as a test case, and text that is no XML is escaped', () => {
  const xml = junitOf(FINDINGS);
  expect(xml).toContain('<testsuite name="v1" tests="3" failures="1" skipped="1">');
  expect(xml).toContain(
    '<failure message="sent fence &quot;again&quot;; expected {&quot;n&quot;:1}; came &lt;n=2 &amp; more&gt;"/>',
  );
  expect(xml).toContain('<skipped message="no command"/>');
});

test('without a list of test volumes nothing is asked or touched', async () => {
  const options = { url: 'http://127.0.0.1:1', volumes: new Map(), patienceMs: 1 };
  await expect(checkSplitter(options)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});
