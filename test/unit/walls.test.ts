// The walls between rooms: the lint refuses every import that docs/architecture.md does not allow,
// and everything that would make a pure core impure. Violations are planted, and looked for.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { lint } from '../support/lint.js';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

type Leave = 'everything' | 'types' | 'plan' | 'nothing';

/**
 * The rooms of the first table of docs/architecture.md, each with what it may import of the others.
 */
async function roomsOfPage(): Promise<Map<string, ReadonlyMap<string, Leave>>> {
  const page = await readFile(join(PROJECT, 'docs/architecture.md'), 'utf8');
  const section = page.slice(page.indexOf('\n## Rooms'), page.indexOf('Rooms within rooms'));
  const rows = [...section.matchAll(/^\| `(\w+)\/` *\|[^|]*\| (.*?) *\|$/gm)];
  const names = rows.map(([, room = '']) => room);
  return new Map(
    rows.map(([, room = '', cell = '']) => [
      room,
      new Map(names.map((other) => [other, cell === 'every room' ? 'everything' : leaveOf(cell, other)])),
    ]),
  );
}

function leaveOf(cell: string, room: string): Leave {
  const item = cell.split(', ').find((entry) => entry.startsWith(`\`${room}\``));
  // A room within it is looked for on its own, below.
  if (item === undefined || item.endsWith('(`stream/`)')) return 'nothing';
  if (item.endsWith('(types)')) return 'types';
  return item.endsWith('(`plan.ts`; `settle.ts`)') ? 'plan' : 'everything';
}

const VALUE = (from: string): string => `import { thing } from '${from}';\nexport const used = [thing];\n`;
const TYPE = (from: string): string => `import type { Thing } from '${from}';\nexport type Used = Thing;\n`;
const USE = (expression: string): string => `export const used = ${expression};\n`;

const IMPORTS = 'eslint(no-restricted-imports)';
const GLOBALS = 'eslint(no-restricted-globals)';
const PROPERTIES = 'eslint(no-restricted-properties)';
const CIRCLE = 'import(no-cycle)';

interface Plant {
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** The rule it breaks; undefined: none. */
  readonly breaks: string | undefined;
}

const rooms = await roomsOfPage();

/** Rooms within a room that have walls of their own beside those of the whole room. */
const INNER: Readonly<Record<string, readonly string[]>> = {
  workflows: ['workflows/shared', 'workflows/move', 'workflows/verify'],
  client: ['client/cli'],
  simulator: ['simulator/stream', 'simulator/splitter', 'simulator/appliance', 'simulator/replica-site'],
};

/**
 * Every room imports every other one: a value, a type, the plan's checks, and how attempts end
 * without their move.
 */
const acrossRooms: readonly Plant[] = [...rooms].flatMap(([room, leaves]) =>
  [`${room}/inner`, ...(INNER[room] ?? [])].flatMap((folder) => fromFolder(room, folder, leaves)),
);

function fromFolder(room: string, folder: string, leaves: ReadonlyMap<string, Leave>): Plant[] {
  return [...leaves, ['test', 'nothing'] as const, ['dist', 'nothing'] as const].flatMap(([other, leave]) => {
    if (other === room) return [];
    const plant = (kind: string, text: string, isFree: boolean): Plant => ({
      name: `${folder}/ ${isFree ? 'may' : 'may not'} import ${kind} of ${other}/`,
      path: `${folder}/${other}-${kind.replaceAll(/\W+/g, '-')}.ts`,
      text,
      breaks: isFree ? undefined : IMPORTS,
    });
    const isAll = leave === 'everything';
    return [
      plant('values', VALUE(`../../${other}/thing.js`), isAll),
      plant('types', TYPE(`../../${other}/thing.js`), isAll || leave === 'types'),
      plant('plan.ts', VALUE(`../../${other}/plan.js`), isAll || leave === 'plan'),
      plant('settle.ts', VALUE(`../../${other}/settle.js`), isAll || leave === 'plan'),
    ];
  });
}

const PROCESSES = ['splitter', 'appliance', 'replica-site'];
const PURE = [...PROCESSES.map((process) => `simulator/${process}/core`), 'workflows/batch/core', 'workflows/saga'];
const SHARED = ['control-server', 'digest', 'disk', 'process', 'store', 'stream'];

let count = 0;
function plant(name: string, folder: string, text: string, breaks: string | undefined): Plant {
  count += 1;
  return { name, path: `${folder}/plant-${count}.ts`, text, breaks };
}

const up = (folder: string): string => '../'.repeat(folder.split('/').length);

const withinSimulator: readonly Plant[] = [
  ...PROCESSES.flatMap((process) =>
    [...PROCESSES, ...SHARED]
      .filter((other) => other !== process)
      .map((other) => {
        const breaks = PROCESSES.includes(other) ? IMPORTS : undefined;
        return plant(`${process}/ and ${other}/`, `simulator/${process}/inner`, VALUE(`../../${other}/x.js`), breaks);
      }),
  ),
  ...SHARED.flatMap((shared) =>
    PROCESSES.map((process) =>
      plant(`${shared}/ and ${process}/`, `simulator/${shared}`, VALUE(`../${process}/thing.js`), IMPORTS),
    ),
  ),
];

/** Each room of the splitter with those of the splitter that it may import. */
const SPLITTER_ROOMS: Readonly<Record<string, readonly string[]>> = {
  marks: ['volume', 'files', 'core', 'shared'],
  source: ['marks', 'volume', 'files', 'core', 'shared'],
  streams: ['marks', 'volume', 'files', 'core', 'shared'],
  attempts: ['marks', 'volume', 'files', 'core', 'shared'],
  volume: ['files', 'core', 'shared'],
  files: ['core', 'shared'],
  shared: [],
};

const withinSplitter: readonly Plant[] = Object.entries(SPLITTER_ROOMS).flatMap(([room, may]) => {
  const folder = `simulator/splitter/${room}`;
  return [
    plant(`splitter/${room}/ and the wiring`, folder, VALUE('../protection.js'), IMPORTS),
    plant(`splitter/${room}/ and appliance/`, folder, VALUE('../../appliance/thing.js'), IMPORTS),
    plant(`splitter/${room}/ and disk/`, folder, VALUE('../../disk/thing.js'), undefined),
    ...[...Object.keys(SPLITTER_ROOMS), 'core']
      .filter((other) => other !== room)
      .map((other) =>
        plant(
          `splitter/${room}/ and ${other}/`,
          folder,
          VALUE(`../${other}/thing.js`),
          may.includes(other) ? undefined : IMPORTS,
        ),
      ),
  ];
});

const withinWorkflows: readonly Plant[] = [
  ['shared', 'saga', true],
  ['shared', 'move', true],
  ['shared', 'verify', true],
  ['shared', 'batch', true],
  ['verify', 'move', true],
  ['verify', 'saga', true],
  ['verify', 'batch', true],
  ['verify', 'shared', false],
  ['move', 'batch', true],
  ['move', 'saga', false],
  ['move', 'verify', false],
  ['batch', 'move', false],
  ['saga', 'move', true],
  ['saga', 'shared', true],
].map(([from, to, isWall]) =>
  plant(`${from}/ and ${to}/`, `workflows/${from}`, VALUE(`../${to}/thing.js`), isWall === true ? IMPORTS : undefined),
);

const impure: readonly Plant[] = PURE.flatMap((folder) => [
  plant(`${folder}: a file`, folder, VALUE('node:fs'), IMPORTS),
  plant(`${folder}: a file, imported late`, folder, "export const used = await import('node:fs');\n", IMPORTS),
  plant(`${folder}: a package`, folder, VALUE('undici'), IMPORTS),
  plant(`${folder}: Temporal`, folder, VALUE('@temporalio/workflow'), IMPORTS),
  plant(`${folder}: its shell`, folder, VALUE('../shell.js'), IMPORTS),
  ...['activities', 'client', 'estate', 'nbd', 'workers'].map((room) =>
    plant(`${folder}: a type of ${room}/`, folder, TYPE(`${up(folder)}${room}/thing.js`), IMPORTS),
  ),
  plant(`${folder}: a value of control/`, folder, VALUE(`${up(folder)}control/clock/clock.js`), IMPORTS),
  plant(`${folder}: the time`, folder, USE('Date.now()'), GLOBALS),
  plant(`${folder}: the time, made`, folder, USE('new Date()'), GLOBALS),
  plant(`${folder}: the time, round about`, folder, USE('globalThis.Date.now()'), GLOBALS),
  plant(`${folder}: the monotonic clock`, folder, USE('performance.now()'), GLOBALS),
  plant(`${folder}: a timer`, folder, USE('setTimeout(() => undefined, 1)'), GLOBALS),
  plant(`${folder}: the network`, folder, USE("fetch('http://localhost')"), GLOBALS),
  plant(`${folder}: the environment`, folder, USE('process.env'), GLOBALS),
  plant(`${folder}: chance`, folder, USE('Math.random()'), PROPERTIES),
  plant(`${folder}: chance, taken apart`, folder, 'export const { random } = Math;\n', PROPERTIES),
  plant(`${folder}: contracts/`, folder, VALUE(`${up(folder)}contracts/ids.js`), undefined),
  plant(`${folder}: itself`, folder, VALUE('./other.js'), undefined),
]);

const others: readonly Plant[] = [
  plant('a core: a type of control/', PURE[0] ?? '', TYPE('../../../control/clock/clock.js'), undefined),
  plant('a core: the region digest', PURE[0] ?? '', VALUE('../../digest/region-digest.js'), undefined),
  plant('a core: a store', PURE[0] ?? '', VALUE('../../store/row-store.js'), IMPORTS),
  plant('a core: isDeepStrictEqual', PURE[0] ?? '', "export { isDeepStrictEqual } from 'node:util';\n", undefined),
  plant('a core: another of node:util', PURE[0] ?? '', "export { inspect } from 'node:util';\n", IMPORTS),
  ...['inner', 'shared', 'move', 'verify', 'batch'].map((inner) =>
    plant(`workflows/${inner}: a package`, `workflows/${inner}`, VALUE('pino'), IMPORTS),
  ),
  ...['inner', 'stream', ...PROCESSES].map((inner) =>
    plant(`simulator/${inner}: Temporal`, `simulator/${inner}`, VALUE('@temporalio/client'), IMPORTS),
  ),
  plant('a core of a batch: the workflow', 'workflows/batch/core', VALUE('../../move/move-volume.js'), IMPORTS),
  plant('workflows/: Node.js', 'workflows/move', VALUE('node:crypto'), 'import(no-nodejs-modules)'),
  plant('workflows/: the client of Temporal', 'workflows/move', VALUE('@temporalio/client'), IMPORTS),
  plant('workflows/: Temporal', 'workflows/move', VALUE('@temporalio/workflow'), undefined),
  plant('workflows/: the network', 'workflows/move', USE("fetch('http://localhost')"), GLOBALS),
  plant('workflows/: the environment', 'workflows/move', USE('process.env'), GLOBALS),
  plant('contracts/: zod', 'contracts', VALUE('zod'), undefined),
  plant('contracts/: another package', 'contracts', VALUE('pino'), IMPORTS),
  plant('contracts/: Temporal', 'contracts', VALUE('@temporalio/common'), IMPORTS),
  plant('contracts/: Node.js', 'contracts', VALUE('node:fs'), 'import(no-nodejs-modules)'),
  plant('contracts/: the time', 'contracts', USE('Date.now()'), PROPERTIES),
  plant('contracts/: the network', 'contracts', USE("fetch('http://localhost')"), GLOBALS),
  plant('control/: Temporal', 'control', VALUE('@temporalio/client'), IMPORTS),
  plant("control/codec/: what Temporal's payloads look like", 'control/codec', TYPE('@temporalio/common'), undefined),
  plant('control/codec/: Temporal', 'control/codec', VALUE('@temporalio/common'), IMPORTS),
  plant('control/codec/: the workers', 'control/codec', VALUE('../../workers/thing.js'), IMPORTS),
  plant("control/: Temporal's configuration", 'control', VALUE('@temporalio/envconfig'), IMPORTS),
  plant('nbd/: a package', 'nbd', VALUE('zod'), IMPORTS),
  plant('nbd/: Node.js', 'nbd', VALUE('node:fs/promises'), undefined),
  plant("conformance/: the stream's format", 'conformance/inner', VALUE('../../simulator/stream/x.js'), undefined),
  plant('conformance/: a core', 'conformance/inner', VALUE('../../simulator/splitter/core/x.js'), IMPORTS),
  plant('conformance/: a server', 'conformance/inner', VALUE('../../simulator/control-server/x.js'), IMPORTS),
  plant('conformance/: Temporal', 'conformance/inner', VALUE('@temporalio/client'), IMPORTS),
  plant('the SDK: the command line', 'client/moves', VALUE('../cli/output.js'), IMPORTS),
  plant('the SDK, at its top: the command line', 'client', VALUE('./cli/output.js'), IMPORTS),
  plant('the command line: the SDK', 'client/cli', VALUE('../moves/moves.js'), undefined),
];

/** Two files that know each other by their types alone. */
const circle: readonly Plant[] = [
  ['one', 'other'],
  ['other', 'one'],
].map(([name = '', next = '']) => ({
  name: `a circle of types: ${name}`,
  path: `control/${name}.ts`,
  text: TYPE(`./${next}.js`),
  breaks: CIRCLE,
}));

const plants = [
  ...acrossRooms,
  ...withinSimulator,
  ...withinSplitter,
  ...withinWorkflows,
  ...impure,
  ...others,
  ...circle,
];
const WALLS = new Set([IMPORTS, GLOBALS, PROPERTIES, CIRCLE, 'import(no-nodejs-modules)']);

let found: ReadonlyMap<string, readonly string[]>;
beforeAll(async () => {
  found = await lint(new Map(plants.map(({ path, text }) => [path, text])));
});

test('the page has every room', () => {
  expect([...rooms.keys()]).toHaveLength(11);
  expect(acrossRooms.filter(({ breaks }) => breaks === undefined).length).toBeGreaterThan(30);
});

describe.each([
  ['across rooms, as docs/architecture.md says', acrossRooms],
  ['within simulator/', withinSimulator],
  ['within simulator/splitter/', withinSplitter],
  ['within workflows/', withinWorkflows],
  ['pure folders', impure],
  ['packages and single things', others],
  ['circles', circle],
])('%s', (_, planted) => {
  test.each(planted)('$name', ({ path, breaks }) => {
    const broken = (found.get(path) ?? []).filter((code) => WALLS.has(code));
    if (breaks === undefined) expect(broken).toEqual([]);
    else expect(broken).toContain(breaks);
  });
});
