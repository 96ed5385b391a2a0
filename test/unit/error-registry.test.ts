// The registry says who raises each error: checked against the sources, in both directions.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, ERRORS, type Raiser } from '../../contracts/error-registry.js';
import { errorCodeSchema } from '../../contracts/errors.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { APPLIANCE_DESCRIPTION, SPLITTER_DESCRIPTION } from '../../simulator/control-server/descriptions.js';
import { openApiDocument } from '../../simulator/control-server/openapi.js';

const OF_EVERY_SERVER = ['simulator/control-server', 'simulator/store', 'simulator/disk', 'simulator/process'];
/** The rooms whose code runs where the error is raised; `own` are those of one raiser alone. */
const ROOMS: Readonly<Record<Raiser, { readonly own: readonly string[]; readonly shared: readonly string[] }>> = {
  splitter: { own: ['simulator/splitter'], shared: OF_EVERY_SERVER },
  appliance: { own: ['simulator/appliance'], shared: OF_EVERY_SERVER },
  'replica-site': { own: ['simulator/replica-site'], shared: OF_EVERY_SERVER },
  stream: { own: ['simulator/stream'], shared: ['simulator/replica-site'] },
  orchestrator: { own: ['activities', 'workflows', 'workers'], shared: ['control'] },
  client: { own: ['client'], shared: ['control'] },
};
const RAISERS = ['splitter', 'appliance', 'replica-site', 'stream', 'orchestrator', 'client'] as const;

const sources = new Map<string, string>();
function textOf(room: string): string {
  const known = sources.get(room);
  if (known !== undefined) return known;
  const files = readdirSync(room, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const text = files.map((name) => readFileSync(join(room, name), 'utf8')).join('\n');
  sources.set(room, text);
  return text;
}

/**
 * Codes that a room names where it makes a MoverError. Refusals of the stream's frames are no such
 * errors: `refuse` makes them.
 */
function raisedIn(room: string): ErrorCode[] {
  const made = textOf(room).matchAll(/new MoverError\(\s*'([A-Z_]+)'/g);
  return [...made].map(([, code]) => errorCodeSchema.parse(code));
}

/** Functions that make an error of one code for several rooms. */
const MAKERS: Readonly<Partial<Record<ErrorCode, string>>> = { CHANGE_REFUSED: 'refuseChange(' };

describe.each(RAISERS)('%s', (raiser) => {
  const { own, shared } = ROOMS[raiser];

  test('raises no error that the registry does not list for it', () => {
    const raised = own.flatMap(raisedIn);
    expect(raised).not.toHaveLength(0);
    expect(raised.filter((code) => !ERRORS[code].raisedBy.includes(raiser))).toEqual([]);
  });

  test('names each error that the registry lists for it', () => {
    const text = [...own, ...shared].map(textOf).join('\n');
    const listed = errorCodeSchema.options.filter((code) => ERRORS[code].raisedBy.includes(raiser));
    const isNamed = (code: ErrorCode): boolean => {
      const maker = MAKERS[code];
      return text.includes(`'${code}'`) || (maker !== undefined && text.includes(maker));
    };
    expect(listed.filter((code) => !isNamed(code))).toEqual([]);
  });
});

test('every error is raised somewhere', () => {
  expect(errorCodeSchema.options.filter((code) => ERRORS[code].raisedBy.length === 0)).toEqual([]);
});

test('a document lists what its process raises, and the appliance what it passes on', async () => {
  const splitter = JSON.stringify(await openApiDocument(splitterApi, SPLITTER_DESCRIPTION));
  const appliance = JSON.stringify(await openApiDocument(applianceApi, APPLIANCE_DESCRIPTION));
  const described = (document: string, code: ErrorCode): boolean => document.includes(`- \`${code}\`: `);
  const codes = ['NOT_FENCED', 'GROUP_FULL', 'MOVE_REFUSED', 'SCHEDULE_NOT_FOUND', 'WRITE_GAP'] as const;
  expect(codes.filter((code) => described(splitter, code))).toEqual(['NOT_FENCED']);
  expect(codes.filter((code) => described(appliance, code))).toEqual(['GROUP_FULL']);
});
