// All planted bugs, room by room.
import type { Bug, Room } from './bug.js';
import { attach } from './rooms/attach.js';
import { attempts } from './rooms/attempts.js';
import { batch } from './rooms/batch.js';
import { forgotten } from './rooms/forgotten.js';
import { journal } from './rooms/journal.js';
import { points } from './rooms/points.js';
import { relay } from './rooms/relay.js';
import { retention } from './rooms/retention.js';
import { saga } from './rooms/saga.js';
import { splitter } from './rooms/splitter.js';
import { steps } from './rooms/steps.js';
import { waysBack } from './rooms/ways-back.js';

export const rooms: readonly Room[] = [
  splitter,
  attempts,
  attach,
  forgotten,
  waysBack,
  points,
  saga,
  steps,
  retention,
  journal,
  relay,
  batch,
];

/** A bug, with what its room says. */
export interface BankedBug extends Bug {
  readonly tests: readonly string[];
  readonly simulated: boolean;
}

export const bank: readonly BankedBug[] = rooms.flatMap(({ bugs, tests, simulated }) =>
  bugs.map((bug) => ({ tests, simulated, ...bug })),
);
