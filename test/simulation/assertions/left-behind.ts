// What a move leaves at the replica site and at splitters: nothing open and no fence, when it has
// ended and while a person holds it.
import { attemptName, type AttemptRecord } from '../../../contracts/attempt.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { World } from '../world.js';

export function recordsOf(world: World, move: string): AttemptRecord[] {
  const forgotten = world.retention?.forgottenAttempts ?? [];
  const known = [...world.site.state.attempts.values()].map(({ record }): [string, AttemptRecord] => [
    attemptName(record.attempt),
    record,
  ]);
  return [...new Map([...forgotten, ...known]).values()].filter(({ attempt }) => attempt.move === move);
}

/** While a person holds a move none of its attempts is open, and no fence of it is up. */
export function checkHeld(world: World, move: string, volumes: readonly VolumeId[]): void {
  if (world.hasSiteForgotten || world.hasSplitterForgotten) return;
  const states = recordsOf(world, move).map(({ attempt, state }) => `${attempt.n} ${state}`);
  if (states.some((state) => !state.endsWith('ABORTED')))
    throw new Error(`${move} is paused, and its attempts are: ${states.join(', ')}`);
  checkNothingLeft(world, move, volumes);
}

/** The verdict was taught before the move ended: no splitter that is up waits for it. */
export function checkNothingLeft(world: World, move: string, volumes: readonly VolumeId[]): void {
  for (const volume of volumes) {
    const { fence, notice } = world.hostOf(volume).core?.volume(volume).row ?? {};
    if (fence?.attempt.move === move) throw new Error(`${move} has ended, and its fence of ${volume} stands`);
    if (notice?.attempt.move === move) throw new Error(`${move} has ended, and ${volume} still has its notice`);
  }
}
