// The mixes of faults that seeds run under.
import type { Mix } from './mix.js';
import type { Trouble } from './orchestrator.js';
import { PROTOCOL_MIXES } from './protocol-mixes.js';
import { NO_FAULTS, type World } from './world.js';

export type { Mix } from './mix.js';

const hostile = { loss: 0.03, duplicate: 0.08, delayMsMax: 12, stall: 0.004, breakStream: 0.03, crash: 0.01 };
const sometimes = (world: World): Trouble => {
  const workerDies = world.chance.hit(0.5) ? 0.15 : 0;
  const fate = world.chance.below(5);
  if (fate === 0) return { workerDies, cancelAfterMs: world.chance.between(0, 600) };
  if (fate === 1) return { workerDies, terminateAfterMs: world.chance.between(0, 600) };
  return { workerDies };
};

/** Networks, crashes and clocks. */
const ROUGH_MIXES: readonly Mix[] = [
  {
    name: 'one splitter, lossy network, zombies',
    faults: { ...hostile, crash: 0, breakStream: 0 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
  {
    name: 'one splitter, everything at once',
    faults: hostile,
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
  {
    name: 'two splitters, lossy network, zombies',
    faults: { ...hostile, crash: 0, breakStream: 0.01 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'two splitters, everything at once',
    faults: hostile,
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'crashes only',
    faults: { ...NO_FAULTS, stall: 0.01, crash: 0.05 },
    splitters: 1,
    volumesPerSplitter: 2,
    trouble: () => ({ workerDies: 0 }),
  },
  {
    name: 'clocks that are set, everything at once',
    faults: { ...hostile, clockJump: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
];

/** A person approves, pauses, resumes and aborts at any moment. */
const steered = (world: World): Trouble => {
  const { chance } = world;
  return {
    ...sometimes(world),
    steeredForMs: chance.between(0, 3_000),
    ...(chance.hit(0.5) ? { cutover: 'manual' } : {}),
    ...(chance.hit(0.2) ? { options: { fenceFromMs: Math.round(world.time.nowMs + chance.between(0, 2_000)) } } : {}),
  };
};

const STEERED_MIXES: readonly Mix[] = [
  {
    name: 'a person steers',
    faults: { ...NO_FAULTS, delayMsMax: 12 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: steered,
  },
  {
    name: 'a person steers, everything at once',
    faults: hostile,
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: steered,
    crossing: 0.3,
  },
];

/** Disks are full for a while: calls are refused and repeated, and nothing is half-done. */
const FULL_MIXES: readonly Mix[] = [
  {
    name: 'disks are full now and then',
    faults: { ...hostile, full: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'disks are full, and the replica site comes back older',
    faults: { ...hostile, crash: 0.02, full: 0.05, sitePutBack: 0.05 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
];

/** Folders come back older, or empty: the two ends notice, and resend what differs. */
export const PUT_BACK_MIXES: readonly Mix[] = [
  {
    name: 'the replica site comes back older',
    faults: { ...hostile, crash: 0.02, sitePutBack: 0.05 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
  {
    name: 'the replica site comes back older, two splitters',
    faults: { ...hostile, crash: 0.02, sitePutBack: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'splitters come back older',
    faults: { ...hostile, crash: 0.02, splitterPutBack: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'everything comes back older',
    faults: { ...hostile, crash: 0.02, sitePutBack: 0.05, splitterPutBack: 0.05 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
];

/**
 * Splitters' folders are lost: a person has the disks recovered, and guests get errors until then.
 */
export const LOST_MIXES: readonly Mix[] = [
  {
    name: 'splitters lose their folders',
    faults: { ...hostile, crash: 0.03, splitterLost: 0.8 },
    splitters: 2,
    volumesPerSplitter: 2,
    trouble: sometimes,
  },
  {
    name: 'splitters lose their folders, disks are full now and then',
    faults: { ...hostile, crash: 0.03, splitterLost: 0.8, full: 0.03 },
    splitters: 1,
    volumesPerSplitter: 3,
    trouble: sometimes,
  },
];

export const MIXES: readonly Mix[] = [
  ...ROUGH_MIXES,
  ...STEERED_MIXES,
  ...PROTOCOL_MIXES,
  ...PUT_BACK_MIXES,
  ...LOST_MIXES,
  ...FULL_MIXES,
];
