// Findings as people and programs read them: a table, and JUnit's XML.
import type { Finding } from './finding.js';

const MARKS: Readonly<Record<Finding['result'], string>> = { pass: '✓', fail: '✗', skip: '-' };

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function totalsOf(findings: readonly Finding[]): Totals {
  const count = (wanted: Finding['result']): number => findings.filter(({ result }) => result === wanted).length;
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') };
}

/** One line a clause; a failure with its evidence, a skip with its reason. */
export function findingLines({ clause, title, result, reason, evidence }: Finding): string[] {
  const lines = [`${MARKS[result]} ${clause.padEnd(6)} ${title}`];
  if (reason !== undefined) lines.push(`    skipped: ${reason}`);
  if (evidence !== undefined)
    lines.push(
      `    sent      ${evidence.sent}`,
      `    expected  ${evidence.expected}`,
      `    came      ${evidence.came}`,
    );
  return lines;
}

export function reportText(findings: readonly Finding[]): string {
  const volumes = [...new Set(findings.map(({ volume }) => volume))];
  const { passed, failed, skipped } = totalsOf(findings);
  return [
    ...volumes.flatMap((volume) => [
      `Volume ${volume}`,
      ...findings.filter((finding) => finding.volume === volume).flatMap(findingLines),
      '',
    ]),
    `${passed} passed, ${failed} failed, ${skipped} skipped.`,
  ].join('\n');
}

/** The findings as JUnit's XML: a test suite a volume, a test case a finding. */
export function junitOf(findings: readonly Finding[]): string {
  const volumes = [...new Set(findings.map(({ volume }) => volume))];
  const suites = volumes.map((volume) => {
    const own = findings.filter((finding) => finding.volume === volume);
    const { failed, skipped } = totalsOf(own);
    return [
      `  <testsuite name="${escaped(volume)}" tests="${own.length}" failures="${failed}" skipped="${skipped}">`,
      ...own.map(caseOf),
      '  </testsuite>',
    ].join('\n');
  });
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, '</testsuites>', ''].join('\n');
}

function caseOf({ clause, title, volume, reason, evidence }: Finding): string {
  const open = `    <testcase classname="${escaped(volume)}" name="${escaped(`${clause} ${title}`)}"`;
  if (evidence !== undefined) {
    const { sent, expected, came } = evidence;
    const message = escaped(`sent ${sent}; expected ${expected}; came ${came}`);
    return `${open}><failure message="${message}"/></testcase>`;
  }
  return reason === undefined ? `${open}/>` : `${open}><skipped message="${escaped(reason)}"/></testcase>`;
}

/** Characters that XML does not allow at all. */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F]/g;

function escaped(text: string): string {
  return text
    .replaceAll(FORBIDDEN, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
