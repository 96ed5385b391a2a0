// The bug bank is reviewed text: a bug whose place was changed must be looked at again.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { bank, rooms } from '../bank/bank.js';
import { choose, wholeOf } from '../bank/choose.js';
import { plant } from '../bank/plant.js';

/** The least number of bugs that the bank must have. */
const BUGS_MIN = 80;

describe('the bug bank', () => {
  test('has no bug whose place was changed', async () => {
    const stale: string[] = [];
    for (const bug of bank) {
      const sound = await readFile(new URL(`../../${bug.file}`, import.meta.url), 'utf8');
      try {
        expect(plant(sound, bug), bug.id).not.toBe(sound);
      } catch (error) {
        stale.push(String(error));
      }
    }
    expect(stale).toEqual([]);
  });

  test('has bugs of every kind, each with an id of its own and a sentence', () => {
    expect(bank.length).toBeGreaterThanOrEqual(BUGS_MIN);
    expect(new Set(bank.map(({ id }) => id)).size).toBe(bank.length);
    for (const { id, breaks, equivalent = breaks } of bank)
      for (const sentence of [breaks, equivalent]) expect(sentence, id).toMatch(/^[A-Z"].*\.$/);
  });

  test('has as many bugs of each part as the documents say', async () => {
    const page = await readFile(new URL('../../docs/reliability.md', import.meta.url), 'utf8');
    for (const { name, bugs } of rooms) expect(page).toMatch(new RegExp(`\\| ${name} +\\| ${bugs.length} +\\|`));
  });

  test('refuses a bug whose text is gone, or is there twice', () => {
    const bug = { id: 'a/b', file: 'a.ts', find: 'x > 1', replace: 'x >= 1' };
    expect(plant('if (x > 1) go();', bug)).toBe('if (x >= 1) go();');
    expect(() => plant('if (x > 2) go();', bug)).toThrow('occurs 0 times');
    expect(() => plant('x > 1 || x > 1', bug)).toThrow('occurs 2 times');
  });

  test('chooses a share by its seed, and another by another seed', () => {
    const tenth = choose({ ids: [], share: 0.1, seed: 1 });
    expect(tenth).toHaveLength(Math.ceil(bank.length / 10));
    expect(choose({ ids: [], share: 0.1, seed: 1 })).toEqual(tenth);
    expect(choose({ ids: [], share: 0.1, seed: 2 })).not.toEqual(tenth);
    expect(choose({ ids: ['saga/'], share: 1, seed: 1 }).every(({ id }) => id.startsWith('saga/'))).toBe(true);
    expect(() => choose({ ids: ['nobody/'], share: 1, seed: 1 })).toThrow('No bug of the bank');
  });

  test('never judges nothing because an option was mistyped', () => {
    for (const share of [0, -1, 1.5, Number.NaN])
      expect(() => choose({ ids: [], share, seed: 1 }), String(share)).toThrow('--share: give a number');
    expect(wholeOf('--runs', '0')).toBe(0);
    for (const text of ['many', '', '1.5', '-1'])
      expect(() => wholeOf('--runs', text), text).toThrow(`--runs: "${text}" is not a whole number`);
  });
});
