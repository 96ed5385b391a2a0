// A hook that is an address. A freezing one is asked twice, and must thaw by itself when the second
// request does not come in time.
import { readFile } from 'node:fs/promises';
import { request } from 'undici';
import { z } from 'zod';
import type { Hook, HookCall } from '../../contracts/hooks.js';
import type { StartedHook } from './started-hook.js';

const ANSWER_LENGTH_MAX = 300;
/** The answer to a thaw: whether the freeze lasted until then. An empty one says so, too. */
const thawedSchema = z.object({ held: z.boolean().default(true) });

export function startUrl(hook: Hook & { readonly url: string }, call: HookCall): StartedHook {
  const signal = AbortSignal.timeout(hook.timeoutMs);
  const { freezes, timeoutMs } = hook;
  const ready = post(hook, freezes ? { ...call, phase: 'freeze', holdMs: timeoutMs } : call, signal).then(
    () => undefined,
  );
  ready.catch(() => undefined);
  return {
    ready,
    thaw: async () => {
      const isFrozen = await ready.then(
        () => true,
        () => false,
      );
      // Thaws also what answered with an error: it may have frozen a part.
      for (const isLast of [false, true]) {
        try {
          const text = await post(hook, { ...call, phase: 'thaw' }, isLast ? AbortSignal.timeout(timeoutMs) : signal);
          return isFrozen && !signal.aborted && thawedSchema.parse(text === '' ? {} : JSON.parse(text)).held;
        } catch {
          // Once more, with time of its own; after that the address thaws by itself.
        }
      }
      return false;
    },
  };
}

/** @throws Error when it does not answer in time with a status of 2xx */
async function post({ url, tokenFile, timeoutMs }: Hook & { readonly url: string }, body: object, signal: AbortSignal) {
  try {
    const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
    const answer = await request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      signal,
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 200 && answer.statusCode < 300) return text;
    throw new Error(`status ${answer.statusCode}: ${text.slice(0, ANSWER_LENGTH_MAX)}`);
  } catch (error) {
    if (signal.aborted) throw new Error(`no answer within ${timeoutMs} ms`, { cause: error });
    throw error;
  }
}
