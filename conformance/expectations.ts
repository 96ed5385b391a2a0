// How a check says what it expects: each function throws Unmet with the evidence.
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { type ErrorCode, MoverError } from '../contracts/errors.js';
import { shown, Unmet } from './finding.js';

/** Pause between two looks at what a check waits for, ms. */
const LOOK_EVERY_MS = 10;

/** @throws Unmet unless it holds */
export function expectThat(holds: boolean, sent: string, expected: string, came: unknown): void {
  if (!holds) throw new Unmet({ sent, expected, came: shown(came) });
}

/** @throws Unmet unless both are equal */
export function expectEqual(sent: string, expected: unknown, came: unknown): void {
  if (!isDeepStrictEqual(came, expected)) throw new Unmet({ sent, expected: shown(expected), came: shown(came) });
}

/** @throws Unmet unless the call is refused with one of the codes */
export async function expectRefusal(sent: string, codes: readonly ErrorCode[], call: Promise<unknown>): Promise<void> {
  const expected = `a refusal with ${codes.join(' or ')}`;
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof MoverError && codes.includes(error.code)) return;
    throw new Unmet({ sent, expected, came: described(error) });
  }
  throw new Unmet({ sent, expected, came: `the answer ${shown(answer)}` });
}

/** @throws Unmet if the call is refused */
export async function expectAnswer<T>(sent: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw new Unmet({ sent, expected: 'an answer', came: described(error) });
  }
}

/** What a check waits for. `came` says what is there instead. */
export interface Awaited {
  readonly sent: string;
  readonly expected: string;
  readonly holds: () => boolean | Promise<boolean>;
  readonly came: () => unknown;
}

/** Waits until it holds. @throws Unmet when it did not within `patienceMs` */
export async function expectSoon({ sent, expected, holds, came }: Awaited, patienceMs: number): Promise<void> {
  for (const endMs = performance.now() + patienceMs; performance.now() < endMs;) {
    if (await holds()) return;
    await pause(LOOK_EVERY_MS);
  }
  throw new Unmet({ sent, expected, came: `after ${patienceMs} ms: ${shown(await came())}` });
}

export function described(error: unknown): string {
  if (error instanceof MoverError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
