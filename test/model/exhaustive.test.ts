// Every state of small worlds: the real cores, two volumes, two attempts or two moves, calls that
// arrive late, twice, in any order or never, and processes that die. No state breaks a promise, and
// every state can become quiet.
import { describe, expect, it } from 'vitest';
import {
  attempts,
  ONE_SPLITTER,
  ROOMY_BYTES,
  S0,
  type Scenario,
  thereAndBack,
  TIGHT_BYTES,
  TWO_SPLITTERS,
  V0,
  V1,
} from './scenario.js';
import { explore, type Explored } from './search/explore.js';
import type { Flaw } from './site-part.js';

/** Most states of one search: each of the small worlds has fewer. */
const STATES_MAX = Number(process.env['VOLUME_MOVER_STATES'] ?? 2_000_000);
/** Whether larger worlds are searched too, as far as the limit goes. */
const IS_LONG = process.env['VOLUME_MOVER_STATES'] !== undefined;

const NONE: Scenario = {
  volumes: TWO_SPLITTERS,
  tries: [],
  writes: [],
  crashes: 0,
  restarts: 0,
  breaks: 0,
  queueBytes: ROOMY_BYTES,
  flaws: {},
};

interface Case {
  readonly name: string;
  readonly scenario: Partial<Scenario>;
}

const ONE_VOLUME = [{ volume: V0, splitter: S0 }];
const ONE = attempts(TWO_SPLITTERS, 1);

const CASES: readonly Case[] = [
  { name: 'two splitters, two attempts', scenario: { tries: attempts(TWO_SPLITTERS, 2) } },
  { name: 'two splitters, there and back', scenario: { tries: thereAndBack(TWO_SPLITTERS) } },
  { name: 'two splitters, a write to each', scenario: { tries: ONE, writes: [V0, V1] } },
  { name: 'two splitters, a crash', scenario: { tries: ONE, crashes: 1 } },
  { name: 'two splitters, a write, a stream breaks', scenario: { tries: ONE, writes: [V0], breaks: 1 } },
  { name: 'two splitters, a write, the site restarts', scenario: { tries: ONE, writes: [V0], restarts: 1 } },
  {
    name: 'one volume, two attempts, two writes',
    scenario: { volumes: ONE_VOLUME, tries: attempts(ONE_VOLUME, 2), writes: [V0, V0] },
  },
  {
    name: 'one volume, two writes, a crash',
    scenario: { volumes: ONE_VOLUME, tries: attempts(ONE_VOLUME, 1), writes: [V0, V0], crashes: 1 },
  },
  {
    name: 'one volume, there and back, a write',
    scenario: { volumes: ONE_VOLUME, tries: thereAndBack(ONE_VOLUME), writes: [V0] },
  },
  {
    name: 'one splitter with two volumes, two writes, a full queue',
    scenario: {
      volumes: ONE_SPLITTER,
      tries: attempts(ONE_SPLITTER, 1),
      writes: [V0, V0],
      queueBytes: TIGHT_BYTES,
    },
  },
];

/** Worlds whose site forgets attempts that are over, and whose late calls still arrive. */
const FORGETFUL: readonly Case[] = [
  { name: 'two splitters, two attempts, forgotten', scenario: { tries: attempts(TWO_SPLITTERS, 2), forgets: true } },
  { name: 'two splitters, there and back, forgotten', scenario: { tries: thereAndBack(TWO_SPLITTERS), forgets: true } },
  {
    name: 'one volume, there and back, a crash, forgotten',
    scenario: { volumes: ONE_VOLUME, tries: thereAndBack(ONE_VOLUME), crashes: 1, forgets: true },
  },
  {
    name: 'one volume, two attempts, the site restarts, forgotten',
    scenario: { volumes: ONE_VOLUME, tries: attempts(ONE_VOLUME, 2), restarts: 1, forgets: true },
  },
];

const LARGE: readonly Case[] = [
  { name: 'two splitters, a write, a crash', scenario: { tries: ONE, writes: [V0], crashes: 1 } },
  { name: 'two splitters, two attempts, a write', scenario: { tries: attempts(TWO_SPLITTERS, 2), writes: [V0] } },
  { name: 'two splitters, there and back, a write', scenario: { tries: thereAndBack(TWO_SPLITTERS), writes: [V0] } },
  {
    name: 'one volume, two attempts, two writes, a crash',
    scenario: { volumes: ONE_VOLUME, tries: attempts(ONE_VOLUME, 2), writes: [V0, V0], crashes: 1 },
  },
];

/** A late resolve aborts what was committed. */
const takesBack: Flaw = (state, input) => {
  const record = input.do === 'resolve' ? state.attempt(input.attempt) : undefined;
  if (record?.state !== 'COMMITTED') return undefined;
  return { kind: 'record', record: state.putAttempt({ ...record, state: 'ABORTED' }) };
};

/** The site forgets an attempt before its splitters have said that it is over. */
const forgetsUnheard: Flaw = (state, input) => {
  if (input.do !== 'forget') return undefined;
  for (const name of state.decidedAttempts()) {
    const row = state.attempts.get(name);
    if (row?.ticket !== undefined) state.forgetAttempt({ ...row, ticket: row.ticket });
  }
  return { kind: 'done' };
};

/** The site forgets an attempt and does not keep up to which ticket it has. */
const keepsNoMark: Flaw = (state, input) => {
  if (input.do !== 'forget') return undefined;
  for (const name of state.decidedAttempts()) state.attempts.delete(name);
  return { kind: 'done' };
};

interface Flawed extends Case {
  readonly finds: RegExp;
}

const FLAWED: readonly Flawed[] = [
  {
    name: 'cuts of two splitters are not confirmed',
    scenario: { tries: ONE, writes: [V0, V1], flaws: { skipsConfirm: true } },
    finds: /contains write 2, and v0 at 0 not 1/,
  },
  {
    name: 'a lease decides',
    scenario: { tries: ONE, flaws: { leaseDecides: true } },
    finds: /took a#1 for ABORTED/,
  },
  {
    name: 'the source is written before the mark',
    scenario: { tries: ONE, writes: [V0], crashes: 1, flaws: { marksLate: true } },
    finds: /there is no mark/,
  },
  {
    name: 'a verdict is taken back',
    scenario: { tries: ONE, flaws: { site: takesBack } },
    finds: /the verdict of a#1 was COMMITTED|a#1 was aborted and left a bookmark/,
  },
  {
    name: 'splitters are told a commit that was not made',
    scenario: { tries: ONE, flaws: { teachesFirst: true } },
    finds: /took a#1 for COMMITTED, and the site has it OPEN/,
  },
  {
    name: 'an attempt is forgotten before its splitters know',
    scenario: { tries: attempts(TWO_SPLITTERS, 2), forgets: true, flaws: { site: forgetsUnheard } },
    finds: /has a notice or fence of a#1, which is forgotten/,
  },
  {
    name: 'nothing is kept of what was forgotten',
    scenario: { tries: attempts(TWO_SPLITTERS, 2), forgets: true, flaws: { site: keepsNoMark } },
    finds: /a#1 was forgotten, and is there again/,
  },
];

/** Prints one line of figures. */
function report(name: string, { states, transitions, depth, quiet, isWhole, parts }: Explored): void {
  process.stdout.write(
    `${name}: ${states} states${isWhole ? '' : ' (not all)'}, ${transitions} steps, depth ${depth}, ${quiet} quiet; ` +
      `cores: site ${parts.site}, splitter ${parts.splitters}; mover ${parts.movers}\n`,
  );
}

describe('every state of a small world', () => {
  it.each(IS_LONG ? [...CASES, ...FORGETFUL, ...LARGE] : [...CASES, ...FORGETFUL])('$name', ({ name, scenario }) => {
    const explored = explore({ ...NONE, ...scenario }, { statesMax: STATES_MAX });
    report(name, explored);
    expect(explored.finding).toBeUndefined();
    expect(explored.isWhole || IS_LONG, 'every state was visited').toBe(true);
    expect(explored.quiet).toBeGreaterThan(0);
  });
});

describe('a flaw is found', () => {
  it.each(FLAWED)('$name', ({ name, scenario, finds }) => {
    const explored = explore({ ...NONE, ...scenario }, { statesMax: STATES_MAX });
    report(name, explored);
    expect(explored.finding?.what).toMatch(finds);
  });
});
