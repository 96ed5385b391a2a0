// The supervisor over processes that do as a test says: what one of them does decides nothing for
// another.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ProcessEnd, processEnd } from '../../estate/process-end.js';
import type { Supervised } from '../../estate/supervised.js';
import { Supervisor } from '../../estate/supervisor.js';

const LIMITS = {
  firstPauseMs: 10,
  pauseMsMax: 40,
  servedMs: 60_000,
  stageMsMax: 10_000,
  checkEveryMs: 10,
  failedChecksMax: 3,
  startFailedChecksMax: 3,
};
/** Longest wait for what takes some hundredths of a second, ms. */
const WAIT = { timeout: 5_000, interval: 5 };
const REFUSAL = JSON.stringify({ level: 60, err: { message: 'no such group', code: 'INVALID_REQUEST' } });

interface Scripted {
  /** What each life does, from the first on; the last goes on for all others. */
  readonly lives: readonly (
    | 'serves'
    | 'dies'
    | 'refuses'
    | 'can not begin'
    | 'is silent'
    | 'answers only'
    | 'serves, then is silent'
    | 'outlives SIGKILL and is silent'
  )[];
  readonly beginsAfter?: Promise<void>;
}

class FakeProcess implements Supervised {
  readonly name: string;
  readonly meaning = 'Nothing is lost.';
  readonly dataFolder = '/data';
  readonly logFile = '/data/log';
  readonly pid = 1;
  readonly id: string;
  lives = 0;
  isAlive = false;
  readonly #script: Scripted;
  #served = Promise.resolve('');
  #ended: Promise<ProcessEnd> = new Promise(() => undefined);
  #end: (end: ProcessEnd) => void = () => undefined;

  constructor(id: string, script: Scripted) {
    this.id = id;
    this.name = `The fake ${id}`;
    this.#script = script;
  }

  get #act(): Scripted['lives'][number] {
    const { lives } = this.#script;
    return lives[Math.min(this.lives, lives.length) - 1] ?? 'serves';
  }

  async begin(): Promise<void> {
    await this.#script.beginsAfter;
    this.lives += 1;
    const act = this.#act;
    if (act === 'can not begin') throw new Error('ENOSPC: no space left on device, mkdir');
    this.isAlive = true;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#served = act.startsWith('serves') ? Promise.resolve(`${this.id} serves`) : new Promise(() => undefined);
    if (act === 'dies') this.die('ended with exit code 1', []);
    if (act === 'refuses') this.die('ended with exit code 1', [REFUSAL]);
  }

  die(how: string, lines: readonly string[]): void {
    this.isAlive = false;
    this.#end(processEnd(how, lines));
  }

  async serving(): Promise<string> {
    return await this.#served;
  }

  async ended(): Promise<ProcessEnd> {
    return await this.#ended;
  }

  async answers(): Promise<boolean> {
    return !this.#act.endsWith('is silent');
  }

  async kill(): Promise<void> {
    if (this.#act.startsWith('outlives')) throw new Error('The fake is still there after SIGKILL.');
    this.die('ended with SIGKILL', []);
  }

  async stop(): Promise<void> {
    this.die('ended with exit code 0', []);
  }
}

let said: string[];
let supervisor: Supervisor;
let processes: FakeProcess[];
const all = (): string => said.join('\n');

beforeEach(() => {
  said = [];
  processes = [];
  supervisor = supervisorWith(LIMITS);
});
afterEach(async () => {
  supervisor.end();
  await Promise.all(processes.map(async (process) => process.stop()));
  await supervisor.settled();
});

function supervisorWith(limits: typeof LIMITS): Supervisor {
  return new Supervisor({ print: (line) => void said.push(line), limits });
}

function fake(id: string, script: Scripted): FakeProcess {
  const process = new FakeProcess(id, script);
  processes.push(process);
  return process;
}

test('a process that dies at each start is started again and again, and the other one is left alone', async () => {
  const dying = fake('dying', { lives: ['dies'] });
  const steady = fake('steady', { lives: ['serves'] });
  await supervisor.start([dying, steady]);
  await vi.waitFor(() => expect(dying.lives).toBeGreaterThan(12), WAIT);
  expect(steady).toMatchObject({ lives: 1, isAlive: true });
  expect(all()).toContain('The fake dying ended with exit code 1. It is started again now; nothing else is stopped.');
  expect(all()).toContain('The fake dying ended with exit code 1 again, 3 times in a row now');
  // A death each 40 ms, but lines at 1, 2, 3, 4, 8 and 16 only: no flood.
  expect(said.filter((line) => line.includes('dying')).length).toBeLessThan(7);
});

test('a death and the next life that serves are reported once each', async () => {
  const once = fake('once', { lives: ['serves'] });
  await supervisor.start([once]);
  once.die('ended with SIGKILL', []);
  await vi.waitFor(() => expect(said).toHaveLength(3), WAIT);
  expect(said[0]).toBe('once serves');
  expect(said[2]).toBe('The fake once runs again (process id 1).');
});

test('a process that can not even begin is tried again, with its reason', async () => {
  const late = fake('late', { lives: ['can not begin', 'can not begin', 'serves'] });
  await supervisor.start([late]);
  await vi.waitFor(() => expect(all()).toContain('late serves'), WAIT);
  expect(all()).toContain('Why     ENOSPC: no space left on device, mkdir');
});

test('the next ones do not wait longer for a process than the stage lasts', async () => {
  supervisor = supervisorWith({ ...LIMITS, stageMsMax: 20 });
  await supervisor.start([fake('slow', { lives: ['answers only'] })]);
  await supervisor.start([fake('next', { lives: ['serves'] })]);
  expect(said).toEqual(['next serves']);
});

test('a life that neither serves nor answers is ended, and started again', async () => {
  const hung = fake('hung', { lives: ['is silent', 'serves'] });
  await supervisor.start([hung]);
  await vi.waitFor(() => expect(hung.lives).toBe(2), WAIT);
  expect(all()).toContain('The fake hung was ended: it was not ready after');
});

test('a life that served and answers no more is ended, and started again', async () => {
  const hung = fake('hung', { lives: ['serves, then is silent', 'serves'] });
  await supervisor.start([hung]);
  await vi.waitFor(() => expect(hung.lives).toBe(2), WAIT);
  expect(all()).toContain('The fake hung was ended: it did not answer for');
});

test('a life that the system can not remove is told of, and started again once it is gone', async () => {
  supervisor = supervisorWith({ ...LIMITS, stageMsMax: 20 });
  const stuck = fake('stuck', { lives: ['outlives SIGKILL and is silent', 'serves'] });
  await supervisor.start([stuck]);
  await vi.waitFor(() => expect(all()).toContain('The fake is still there after SIGKILL. A process that waits'), WAIT);
  expect(stuck.lives).toBe(1);
  stuck.die('ended with SIGKILL', []);
  await vi.waitFor(() => expect(stuck.lives).toBe(2), WAIT);
  expect(all()).toContain('The fake stuck was ended: it was not ready after');
});

test('a life that answers but waits for something is let be', async () => {
  supervisor = supervisorWith({ ...LIMITS, stageMsMax: 20 });
  const waiting = fake('waiting', { lives: ['answers only'] });
  const hung = fake('hung', { lives: ['is silent'] });
  await supervisor.start([waiting, hung]);
  await vi.waitFor(() => expect(hung.lives).toBeGreaterThan(2), WAIT);
  expect(waiting).toMatchObject({ lives: 1, isAlive: true });
});

test('a refusal of the configuration at the first start is final', async () => {
  const refusing = fake('refusing', { lives: ['refuses'] });
  await supervisor.start([refusing]);
  await expect(supervisor.refused).rejects.toThrow('The fake refusing refuses its configuration: no such group');
  expect(refusing.lives).toBe(1);
});

test('a refusal after a life that served is a death like others', async () => {
  const changed = fake('changed', { lives: ['serves', 'refuses', 'serves'] });
  await supervisor.start([changed]);
  changed.die('ended with SIGKILL', []);
  await vi.waitFor(() => expect(changed).toMatchObject({ lives: 3, isAlive: true }), WAIT);
  expect(all()).toContain('Why     no such group');
});

test('a life that begins while everything is stopped is stopped, too', async () => {
  let begin = (): void => undefined;
  const beginsAfter = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const late = fake('late', { lives: ['serves'], beginsAfter });
  void supervisor.start([late]);
  supervisor.end();
  begin();
  await supervisor.settled();
  expect(late).toMatchObject({ lives: 1, isAlive: false });
});
