// What was started is stopped in reverse order, each once, whatever goes wrong.
import { expect, test } from 'vitest';
import { Cleanup } from '../../control/cleanup.js';

function recorded(): { readonly cleanup: Cleanup; readonly stopped: string[]; readonly add: (name: string) => void } {
  const cleanup = new Cleanup();
  const stopped: string[] = [];
  return { cleanup, stopped, add: (name) => cleanup.add(() => void stopped.push(name)) };
}

test('the last that was started is stopped first', async () => {
  const { cleanup, stopped, add } = recorded();
  add('server');
  add('worker');
  await cleanup.run();
  expect(stopped).toEqual(['worker', 'server']);
});

test('nothing is stopped twice', async () => {
  const { cleanup, stopped, add } = recorded();
  add('server');
  await Promise.all([cleanup.run(), cleanup.run()]);
  await cleanup.run();
  expect(stopped).toEqual(['server']);
});

test('a stop that fails keeps no other from running, and is thrown', async () => {
  const { cleanup, stopped, add } = recorded();
  add('server');
  cleanup.add(async () => Promise.reject(new Error('the worker hangs')));
  add('guest');
  await expect(cleanup.run()).rejects.toThrow('the worker hangs');
  expect(stopped).toEqual(['guest', 'server']);
});

test('after a failure, a stop that fails as well is not thrown', async () => {
  const { cleanup, stopped, add } = recorded();
  add('server');
  cleanup.add(() => {
    throw new Error('the worker hangs');
  });
  await cleanup.afterFailure();
  expect(stopped).toEqual(['server']);
});
