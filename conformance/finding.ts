// What a check found. A clause that is not met is shown with what was sent, expected and received.

/** What a person needs to reproduce a finding. */
export interface Evidence {
  readonly sent: string;
  readonly expected: string;
  readonly came: string;
}

export interface Finding {
  /** @example "S3.9" */
  readonly clause: string;
  readonly title: string;
  readonly volume: string;
  readonly result: 'pass' | 'fail' | 'skip';
  /** Why the check was skipped. */
  readonly reason?: string;
  /** What did not conform; only of a failure. */
  readonly evidence?: Evidence;
}

/** A clause is not met. */
export class Unmet extends Error {
  readonly evidence: Evidence;

  constructor(evidence: Evidence) {
    super(`${evidence.sent}: expected ${evidence.expected}, came ${evidence.came}`);
    this.name = 'Unmet';
    this.evidence = evidence;
  }
}

/** A check needs what the caller did not give. */
export class Skipped extends Error {}

/** Longest text of a value in a finding, characters. */
const SHOWN_LENGTH_MAX = 400;

/** A value as a finding shows it. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}
