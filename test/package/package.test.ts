// The packed product, used as a stranger does: installed in an empty folder, compiled against, and
// run.
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { VERSION } from '../../contracts/version.js';
import { launchEstate } from '../../estate/launch.js';
import { createNamespace } from '../support/namespace.js';
import { estateOf } from '../support/test-estate.js';
import { succeed } from '../support/tools.js';
import { pack, readManifest, ROOT, type Manifest, Stranger, stop } from './stranger.js';

/** What the tarball may hold besides what is compiled. */
const BESIDE_DIST =
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|bin\/volume-mover\.js|docs\/api\/[a-z-]+\.(json|md))$/;
/** Pages with programs in them: these compile, too. */
const PAGES = ['README.md', 'docs/schedules.md', 'docs/sdk.md'];
/** What is compiled, with its types, and the workflow bundle. */
const COMPILED = /^dist\/([a-z-]+\/)+[a-z0-9-]+\.(js|d\.ts)$|^dist\/\.workflow-bundles\/[0-9a-f]+\.js$/;

let folder: string;
let tarball: string;
let manifest: Manifest;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vm-tarball-'));
  [tarball, manifest] = await Promise.all([pack(folder), readManifest()]);
});

afterAll(async () => rm(folder, { recursive: true, force: true }));

test('the tarball holds the compiled product, one workflow bundle and its papers, and nothing else', async () => {
  const files = (await succeed('tar', '-tzf', tarball))
    .trim()
    .split('\n')
    .map((file) => file.replace(/^package\//, ''));
  expect(files.filter((file) => !COMPILED.test(file) && !BESIDE_DIST.test(file))).toEqual([]);
  expect(files.filter((file) => /^dist\/(bench|test)\//.test(file))).toEqual([]);
  const sourceOf = (file: string): string => file.replace(/^dist\//, '').replace(/(\.d\.ts|\.js)$/, '.ts');
  const compiled = files.filter((file) => file.startsWith('dist/') && !file.includes('.workflow-bundles/'));
  // What a source that is gone left behind is not packed.
  expect(compiled.filter((file) => !existsSync(join(ROOT, sourceOf(file))))).toEqual([]);
  expect(files.filter((file) => file.includes('.workflow-bundles/'))).toHaveLength(1);
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'CHANGELOG.md', 'README.md', 'docs/api/splitter.json']));
  expect(manifest.version).toBe(VERSION);
});

describe('on this Node.js, with the compiler', () => {
  let stranger: Stranger;
  let examples: string[];
  let blocks: string[];
  let estate: ChildProcess;

  beforeAll(async () => {
    const temporal = inject('temporalAddress');
    stranger = await Stranger.arrive({
      TEMPORAL_ADDRESS: temporal,
      TEMPORAL_NAMESPACE: await createNamespace(temporal),
    });
    const { typescript, '@types/node': types } = manifest.devDependencies;
    const installed = await stranger.install(tarball, `typescript@${typescript}`, `@types/node@${types}`);
    expect(installed).toMatchObject({ exitCode: 0, stderr: '' });
    examples = await stranger.copyExamples();
    blocks = (await Promise.all(PAGES.map(async (page) => stranger.copyBlocks(page)))).flat();
    const flags = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    const compiled = await stranger.node(
      join('node_modules', 'typescript', 'bin', 'tsc'),
      ...flags,
      ...examples,
      ...blocks,
    );
    expect(compiled, 'tsc --strict').toEqual({ exitCode: 0, stdout: '', stderr: '' });
    estate = await stranger.start(['00-estate.js'], /^ready: /m);
  });

  afterAll(async () => {
    expect(await stop(estate)).toBe(0);
    await stranger.leave();
  });

  /** What each program must say, in this order. They run one after the other on the same estate. */
  const SAID: Readonly<Record<string, readonly RegExp[]>> = {
    '01-move': [/^moved done$/m, /^moved, fenced for \d+ ms$/m, /^old group: .*cg-silver/m, /^new group: .*cg-gold/m],
    '02-plan': [
      /^vm-2-disk-0 can move$/m,
      /^vm-2-disk-0: 16777216 bytes, 0 on their way$/m,
      /^VOLUME_NOT_FOUND vm-9-disk-9: /m,
    ],
    '03-batch': [
      /^waiting-for-approval: 1 of 2 moved$/m,
      /^done: 2 of 2 moved$/m,
      /^complete /m,
      /^vm-1-disk-1 moved$/m,
      /^vm-2-disk-0 moved$/m,
    ],
    '04-schedule': [/^made: nightly .*Europe\/Paris/m, /^nightly paused: .*change freeze/m],
    '05-recover': [
      /^bookmark: before the upgrade$/m,
      /^listed: true$/m,
      /^vm-3-disk-0 at position \d+: 16777216 bytes$/m,
    ],
    '06-verify': [/^verdict: same$/m, /^16777216 bytes compared$/m],
  };

  test('every example has a test', () => {
    expect(examples).toEqual(['00-estate', ...Object.keys(SAID), '07-worker'].map((name) => `${name}.ts`));
  });

  test('the programs in the pages compile', () => {
    const inPages = [
      ['README-md', 1],
      ['docs-schedules-md', 1],
      ['docs-sdk-md', 7],
    ] as const;
    const names = inPages.flatMap(([page, count]) => Array.from({ length: count }, (_, i) => `${page}-${i + 1}.ts`));
    expect(blocks).toEqual(names);
  });

  test.each(Object.entries(SAID))('the example %s does what it says', async (name, said) => {
    const { exitCode, stdout, stderr } = await stranger.program(`${name}.js`);
    expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
    for (const line of said) expect(stdout).toMatch(line);
  });

  test('the example 07-worker makes a move with its own ports where there is no other worker', async () => {
    const address = inject('temporalAddress');
    const groups = {
      'cg-bronze': { appliance: 'appliance-1', volumes: ['vm-3-disk-0'] },
      'cg-gold': { appliance: 'appliance-1', volumes: ['vm-1-disk-0'] },
    };
    const alone = await launchEstate({
      estate: estateOf({ groups, sizeMiB: 4 }),
      dataDirectory: join(stranger.folder, '.alone'),
      log: () => undefined,
    });
    try {
      const { exitCode, stdout, stderr } = await stranger.program('07-worker.js', {
        TEMPORAL_NAMESPACE: await createNamespace(address),
        VOLUME_MOVER_ESTATE: alone.estateFile,
      });
      expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/^fence at host-1: vm-3-disk-0$/m);
      expect(stdout).toMatch(/^moved by a worker of my own$/m);
      expect(stdout).toMatch(/^volume_mover_moves_total\{outcome="moved"\} 1$/m);
    } finally {
      await alone.stop();
    }
  });

  test('the command works, and lists what the estate has', async () => {
    const command = join('node_modules', '.bin', 'volume-mover');
    expect(await stranger.node(command, '--version')).toEqual({ exitCode: 0, stdout: `${VERSION}\n`, stderr: '' });
    const listed = await stranger.node(command, 'volumes');
    expect(listed).toMatchObject({ exitCode: 0, stderr: '' });
    expect(listed.stdout).toContain('vm-4-disk-0');
  });

  test('the command starts a worker beside that of the estate', async () => {
    const command = join('node_modules', '.bin', 'volume-mover');
    const words = [command, 'worker', '--id', 'second', '--health', '127.0.0.1:0', '--activity-slots', '20'];
    const worker = await stranger.start(words, /^\{"ready":true,"role":"worker","id":"second"/m);
    expect(await stop(worker)).toBe(0);
  });
});

test.each([22, 24])('on Node.js %i it installs without a warning, and the command and the SDK load', async (major) => {
  const stranger = await Stranger.arrive();
  try {
    expect(await stranger.useNode(major)).toMatch(new RegExp(`^v${major}\\.`));
    expect(await stranger.install(tarball)).toMatchObject({ exitCode: 0, stderr: '' });
    const command = join('node_modules', '.bin', 'volume-mover');
    expect(await stranger.node(command, '--version')).toEqual({ exitCode: 0, stdout: `${VERSION}\n`, stderr: '' });
    const entries = ['', '/contracts', '/worker', '/simulator'].map((entry) => `import 'volume-mover${entry}';`);
    const loaded = await stranger.node('--input-type=module', '--eval', entries.join('\n'));
    expect(loaded).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  } finally {
    await stranger.leave();
  }
});
