// Building the Temporal CLI, with a stand-in for the Go command: what it is told, and what happens
// when it fails.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { buildCli } from '../../estate/temporal/build-cli.js';
import { cachedCli, cliFolder } from '../../estate/temporal/cli.js';

let folder: string;
let env: NodeJS.ProcessEnv;
const lines: string[] = [];
const log = (line: string): void => void lines.push(line);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'volume-mover-test-'));
  env = { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, XDG_CACHE_HOME: folder, HOME: folder };
  lines.length = 0;
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** A `go` that says it is new enough and runs `install` as a shell script. */
async function placeGo(install: string): Promise<void> {
  const path = join(folder, 'bin', 'go');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\nif [ "$1" = env ]; then echo go1.25.0; exit; fi\n${install}\n`);
  await chmod(path, 0o755);
}

const INSTALL = 'echo "$@" >> "$HOME/calls"; printf "#!/bin/sh\\n" > "$GOBIN/temporal"; chmod +x "$GOBIN/temporal"';

describe('buildCli', () => {
  test('puts the executable in the cache whole, and leaves nothing else there but the log', async () => {
    await placeGo(INSTALL);
    expect(await buildCli({ log, env })).toBe(cachedCli(env));
    expect((await readdir(cliFolder(env))).toSorted()).toEqual(['build.log', 'temporal']);
    expect(lines.join('\n')).toMatch(/building CLI 1\.5\.1 with go1\.25\.0: about 3 minutes/);
  });

  test('builds once for two that ask at once', async () => {
    await placeGo(`sleep 0.2; ${INSTALL}`);
    expect(await Promise.all([buildCli({ log, env }), buildCli({ log, env })])).toEqual([
      cachedCli(env),
      cachedCli(env),
    ]);
    const calls = (await readFile(join(folder, 'calls'), 'utf8')).trimEnd().split('\n');
    expect(calls).toEqual(['install -ldflags -s -w github.com/temporalio/cli/cmd/temporal@v1.5.1']);
  });

  test("builds for this machine with this Go, whatever the user's settings for other projects", async () => {
    Object.assign(env, {
      GOOS: 'plan9',
      GOARCH: 'mips',
      GOFLAGS: '-mod=vendor',
      GOBIN: '/elsewhere',
      GOWORK: '/a/go.work',
    });
    await placeGo(`echo "[$GOOS$GOARCH] $GOFLAGS $GOWORK $GOTOOLCHAIN" > "$HOME/settings"; ${INSTALL}`);
    await buildCli({ log, env });
    expect(await readFile(join(folder, 'settings'), 'utf8')).toBe('[] -modcacherw off local\n');
  });

  test("shows the end of Go's output and the other ways to a server when it fails, and can be tried again", async () => {
    await placeGo('echo "no space left on device" >&2; exit 1');
    const failing = buildCli({ log, env });
    await expect(failing).rejects.toThrow('no space left on device');
    await expect(failing).rejects.toThrow('TEMPORAL_ADDRESS');
    expect(await readdir(cliFolder(env))).toEqual(['build.log']);
    await placeGo(INSTALL);
    expect(await buildCli({ log, env })).toBe(cachedCli(env));
  });
});
