// JSON that people write: the estate file and the command's --input.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import fc from 'fast-check';
import { batchInputOf } from '../../client/cli/batch-flags.js';
import { readEstateFile } from '../../control/estate-file.js';
import { DuplicateKeyError, parseJson } from '../../control/json-text.js';

test('a byte order mark is taken', () => {
  expect(parseJson('\uFEFF{ "to": "cg-silver" }')).toEqual({ to: 'cg-silver' });
});

test('a key that stands twice in one object is refused with its name and lines', () => {
  const text = '{\n  "to": "cg-silver",\n  "select": { "from": "a" },\n  "to": "cg-gold"\n}\n';
  expect(() => parseJson(text)).toThrow(new DuplicateKeyError('to', 2, 4));
  expect(() => parseJson(text)).toThrow('the key "to" stands on line 2 and again on line 4');
  expect(() => parseJson('[{ "a": 1, "a": 2 }]')).toThrow('the key "a" stands twice on line 1');
});

test('one key written in two ways is one key', () => {
  expect(() => parseJson('{ "to": 1, "\\u0074o": 2 }')).toThrow(DuplicateKeyError);
});

test.each([
  ['of different objects', '{ "a": { "id": 1 }, "b": { "id": 2 }, "c": [{ "id": 3 }, { "id": 4 }] }'],
  ['of an object and one inside it', '{ "id": { "id": { "id": 1 } } }'],
  ['before and after an object', '{ "a": { "b": 1 }, "b": 2 }'],
  ['and values alike', '{ "a": "b", "b": "a", "c": ["a", "a", "c"] }'],
  ['with the signs of JSON in them', '{ "}": "{", "{\\"a\\":": ":[", "a": "\\\\" }'],
])('keys %s are no duplicates', (_what, text) => {
  expect(parseJson(text)).toEqual(JSON.parse(text));
});

test('whatever JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      expect(parseJson(text)).toEqual(JSON.parse(text));
    }),
  );
});

test('a string of a megabyte is no trouble', () => {
  const long = '\\"'.repeat(500_000);
  expect(parseJson(JSON.stringify({ long }))).toEqual({ long });
});

test('an estate file with a duplicate key is refused with its name, the key and the lines', () => {
  const folder = mkdtempSync(join(tmpdir(), 'json-text-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'estate.json');
  writeFileSync(path, '{\n  "groups": [],\n  "groups": []\n}\n');
  expect(() => readEstateFile(path)).toThrow(
    `The estate file ${path} cannot be read as JSON: the key "groups" stands on line 2 and again on line 3.`,
  );
});

test('so is a batch input, whose byte order mark is taken', async () => {
  const inputOf = async (text: string) =>
    batchInputOf(
      { input: 'f', approval: true },
      { environment: {}, operator: 'me', read: async () => Promise.resolve(text) },
    );
  await expect(inputOf('{ "to": "a",\n"to": "b" }')).rejects.toThrow(
    '--input: "f" is ambiguous: the key "to" stands on line 1 and again on line 2.',
  );
  expect(await inputOf('\uFEFF{ "select": { "from": "cg-gold" }, "to": "cg-silver" }')).toMatchObject({
    to: 'cg-silver',
  });
});
