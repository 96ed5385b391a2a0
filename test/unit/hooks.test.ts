// Hooks before a fence, as real programs and at a real address: what they hold, what they refuse,
// and that everything is thawed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHooks } from '../../activities/hooks/run-hooks.js';
import { attemptRefSchema } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import { HOOK_MS_MAX, hookSchema, hooksFileSchema } from '../../contracts/hooks.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { readHooksFile } from '../../control/hooks-file.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';

const [G1, G2] = [groupIdSchema.parse('g1'), groupIdSchema.parse('g2')];
const CALL = {
  attempt: attemptRefSchema.parse({ move: 'm1', n: 2 }),
  volumes: [volumeIdSchema.parse('v1'), volumeIdSchema.parse('v2')],
  from: G1,
  to: G2,
};
/** Notes that it froze, and that it thawed, however its standard input ends. */
const FREEZES = 'echo froze >> "$LOG"; trap \'echo thawed >> "$LOG"\' EXIT; echo frozen; cat';

let folder: string;
let told: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-hooks-'));
  told = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const logOf = (name = 'log'): string[] => {
  try {
    return readFileSync(join(folder, name), 'utf8').trim().split('\n');
  } catch {
    return [];
  }
};

/** A hook that is a shell script; `$LOG` is a file of the test. */
const script = (text: string, fields: object = {}) =>
  hookSchema.parse({
    name: 'a script',
    on: 'before-fence',
    command: ['/bin/sh', '-c', `LOG=${join(folder, 'log')}; ${text}`],
    ...fields,
  });
const hooksOf = (...hooks: Parameters<typeof createHooks>[0]) => createHooks(hooks, (_, message) => told.push(message));

async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof MoverError)) throw error;
  return `${error.code}: ${error.message}`;
}

describe('a program', () => {
  test('holds its freeze until it is thawed', async () => {
    const frozen = await hooksOf(script(FREEZES, { freezes: true })).beforeFence(CALL);
    expect(logOf()).toEqual(['froze']);
    expect(await frozen.thaw()).toBe(true);
    expect(logOf()).toEqual(['froze', 'thawed']);
  });

  test('that does not freeze says nothing about applications', async () => {
    const frozen = await hooksOf(script('echo ran >> "$LOG"')).beforeFence(CALL);
    expect(logOf()).toEqual(['ran']);
    expect(await frozen.thaw()).toBe(false);
  });

  test('learns what the move is', async () => {
    const all = 'HOOK_EVENT HOOK_MOVE HOOK_ATTEMPT HOOK_VOLUMES HOOK_FROM HOOK_TO'.split(' ');
    const words = all.map((name) => `$VOLUME_MOVER_${name}`).join('|');
    await hooksOf(script(`echo "${words}" >> "$LOG"`)).beforeFence(CALL);
    expect(logOf()).toEqual(['before-fence|m1|2|v1 v2|g1|g2']);
  });

  test.each([
    ['refuses', 'echo "the backup runs" >&2; exit 3', 'exit code 3: the backup runs'],
    ['is not there', undefined, 'ENOENT'],
    ['takes too long', 'sleep 60', 'it did not end within 300 ms'],
  ])('that %s vetoes the fence, and what others froze is thawed', async (_which, text, why) => {
    const wrong =
      text === undefined
        ? hookSchema.parse({ name: 'a script', on: 'before-fence', command: ['/no/such/program'] })
        : script(text, { timeoutMs: text.startsWith('sleep') ? 300 : 10_000 });
    const said = await refusal(hooksOf(script(FREEZES, { freezes: true }), wrong).beforeFence(CALL));
    expect(said).toContain('HOOK_VETO: Hook "a script" refuses the fence: ');
    expect(said).toContain(why);
    expect(logOf().filter((line) => line === 'froze')).toHaveLength(logOf().filter((line) => line === 'thawed').length);
  });

  test('that may fail does not stop the move, and is told', async () => {
    const frozen = await hooksOf(script('exit 1', { onFailure: 'go-on' })).beforeFence(CALL);
    expect(await frozen.thaw()).toBe(false);
    expect(told).toEqual(['a hook failed']);
  });

  test.each(['echo frozen', 'echo frozen; cat > /dev/null'])(
    'that does not prove that it was frozen has not held its freeze: %s',
    async (text) => {
      const frozen = await hooksOf(script(text, { freezes: true })).beforeFence(CALL);
      expect(await frozen.thaw()).toBe(false);
      expect(told).toContain('a freeze did not last');
    },
  );

  test('whose thaw fails has not held its freeze', async () => {
    const frozen = await hooksOf(script('echo frozen; cat; exit 1', { freezes: true })).beforeFence(CALL);
    expect(await frozen.thaw()).toBe(false);
  });

  test('thaws by its own time-out, when nobody else does', async () => {
    const frozen = await hooksOf(script(FREEZES, { freezes: true, timeoutMs: 1_000 })).beforeFence(CALL);
    await untilTrue('it has thawed', PATIENCE_MS, async () => logOf().includes('thawed'));
    expect(await frozen.thaw()).toBe(false);
  });

  test('runs for the groups and volumes that it is for', async () => {
    const run = async (fields: object): Promise<number> => {
      const before = logOf().length;
      await hooksOf(script('echo ran >> "$LOG"', fields)).beforeFence(CALL);
      return logOf().length - before;
    };
    expect(await run({ groups: ['g2'] })).toBe(0);
    expect(await run({ volumes: ['v9'] })).toBe(0);
    expect(await run({ groups: ['g1'], volumes: ['v9', 'v2'] })).toBe(1);
  });
});

describe('an address', () => {
  const asked: { readonly phase?: string; readonly authorization: string | undefined }[] = [];
  let answer: (body: { phase?: string }, response: ServerResponse) => void;
  const server = createServer((request: IncomingMessage, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const body = JSON.parse(text) as { phase?: string };
      asked.push({ ...body, authorization: request.headers.authorization });
      answer(body, response);
    });
  });
  beforeEach(async () => {
    asked.length = 0;
    answer = (_, response) => response.end();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const hook = (fields: object = {}) => {
    const { port } = server.address() as AddressInfo;
    return hookSchema.parse({ name: 'an agent', on: 'before-fence', url: `http://127.0.0.1:${port}/`, ...fields });
  };
  const phases = () => asked.map(({ phase }) => phase);

  test('is asked to freeze, for how long at most, and to thaw', async () => {
    writeFileSync(join(folder, 'token'), 'secret\n');
    const freezes = hook({ freezes: true, timeoutMs: 9_000, tokenFile: join(folder, 'token') });
    const frozen = await hooksOf(freezes).beforeFence(CALL);
    expect(asked).toMatchObject([{ ...CALL, event: 'before-fence', phase: 'freeze', holdMs: 9_000 }]);
    expect(await frozen.thaw()).toBe(true);
    expect(phases()).toEqual(['freeze', 'thaw']);
    expect(asked.map(({ authorization }) => authorization)).toEqual(['Bearer secret', 'Bearer secret']);
  });

  test('says itself whether its freeze lasted', async () => {
    answer = ({ phase }, response) => response.end(phase === 'thaw' ? JSON.stringify({ held: false }) : '');
    const frozen = await hooksOf(hook({ freezes: true })).beforeFence(CALL);
    expect(await frozen.thaw()).toBe(false);
  });

  test('that refuses vetoes the fence, and is thawed: it may have frozen a part', async () => {
    answer = ({ phase }, response) => {
      if (phase === 'freeze') response.statusCode = 503;
      response.end('busy');
    };
    expect(await refusal(hooksOf(hook({ freezes: true })).beforeFence(CALL))).toContain('status 503: busy');
    expect(phases()).toEqual(['freeze', 'thaw']);
  });

  test('that does not answer vetoes the fence', async () => {
    answer = () => undefined;
    expect(await refusal(hooksOf(hook({ timeoutMs: 200 })).beforeFence(CALL))).toContain('no answer within 200 ms');
  });

  test('whose thaw fails once is asked once more', async () => {
    answer = (_, response) => {
      if (asked.length === 2) response.statusCode = 500;
      response.end();
    };
    const frozen = await hooksOf(hook({ freezes: true })).beforeFence(CALL);
    expect(await frozen.thaw()).toBe(true);
    expect(phases()).toEqual(['freeze', 'thaw', 'thaw']);
  });
});

describe('a hooks file', () => {
  const read = (content: unknown) => {
    const path = join(folder, 'hooks.json');
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return readHooksFile(path);
  };

  test('is not needed', () => {
    expect(readHooksFile(undefined)).toEqual([]);
    expect(hooksFileSchema.parse({ hooks: [] }).hooks).toEqual([]);
  });

  test.each([
    ['is no JSON', 'nonsense', 'cannot be read as JSON'],
    ['names a hook with both', { command: ['x'], url: 'https://a.test/' }, 'give either "command" or "url"'],
    ['names a hook with neither', {}, 'give either "command" or "url"'],
    ['sends in clear', { url: 'http://a.test/' }, 'https, or http to this very host'],
    ['waits too long', { command: ['x'], timeoutMs: HOOK_MS_MAX + 1 }, 'timeoutMs'],
    ['is for another time', { command: ['x'], on: 'at-lunch' }, 'on'],
  ])('that %s is refused', (_which, given, says) => {
    const content = typeof given === 'string' ? given : { hooks: [{ name: 'a', on: 'before-fence', ...given }] };
    expect(() => read(content)).toThrow(says);
  });
});
