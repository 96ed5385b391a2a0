// The clock that ages are counted by, under every sequence of jumps, restarts and looks: beside a
// model that knows true time.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AgeClock } from '../../control/clock/age-clock.js';
import { ClockWatch } from '../../control/clock/clock-watch.js';
import { SettableClock } from '../support/settable-clock.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;
const AGREES_MS = 5 * MINUTE_MS;
const LOOK_EVERY_MS = SECOND_MS;
const START_MS = Date.UTC(2026, 10, 28);
/** A look rounds to whole milliseconds, and so does a store. */
const ROUNDING_MS = 2;
/**
 * How far ahead of true time the clock may be. The watch takes a jump of less than a second for
 * none, so the clock follows it while it lasts, and a little longer.
 */
const AHEAD_MS_MAX = 1_500;

type Step =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'jump'; readonly byMs: number }
  /** A jump that is taken back before the clock could be believed. */
  | { readonly kind: 'blip'; readonly byMs: number; readonly ms: number }
  /** Killed, down for a while, started again; the wall clock may have been set meanwhile. */
  | { readonly kind: 'restart'; readonly downMs: number; readonly byMs: number };

const jump = fc.integer({ min: -40 * DAY_MS, max: 40 * DAY_MS });
const pass = fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 20 * MINUTE_MS }) });
const blip = fc.record({
  kind: fc.constant('blip' as const),
  byMs: jump,
  ms: fc.integer({ min: 0, max: AGREES_MS - 2 * SECOND_MS }),
});
const restart = (byMs: fc.Arbitrary<number>) =>
  fc.record({ kind: fc.constant('restart' as const), downMs: fc.integer({ min: 0, max: 40 * DAY_MS }), byMs });
const blips = fc.array<Step>(fc.oneof(pass, blip, restart(fc.constant(0))), { maxLength: 25 });
const anything = fc.array<Step>(
  fc.oneof(pass, blip, restart(jump), fc.record({ kind: fc.constant('jump' as const), byMs: jump })),
  { maxLength: 25 },
);

/**
 * A process that watches its clock and stores what its age clock says, as the replica site does.
 */
class Site {
  readonly clock = new SettableClock(START_MS);
  #watch = this.#begin();
  #age = new AgeClock(undefined, this.#watch.read());
  /** Time by a clock that nobody can set. */
  trueMs = START_MS;
  /** Time that processes lived. */
  livedMs = 0;
  readonly onLook: (site: Site) => void;

  constructor(onLook: (site: Site) => void) {
    this.onLook = onLook;
  }

  #begin(): ClockWatch {
    return new ClockWatch({ clock: this.clock, process: 'site', agreesAfterMs: AGREES_MS });
  }

  get ageMs(): number {
    return this.#age.ageMs;
  }

  look(): void {
    const before = this.ageMs;
    const now = this.#watch.read();
    const after = this.#age.advance(now, this.#watch.isAgreed);
    expect(after, 'it never goes back').toBeGreaterThanOrEqual(before);
    this.onLook(this);
  }

  pass(ms: number): void {
    for (let leftMs = ms; leftMs > 0; leftMs -= LOOK_EVERY_MS) {
      const stepMs = Math.min(LOOK_EVERY_MS, leftMs);
      this.clock.pass(stepMs);
      this.trueMs += stepMs;
      this.livedMs += stepMs;
      this.look();
    }
  }

  run(step: Step): void {
    switch (step.kind) {
      case 'pass':
        this.pass(step.ms);
        return;
      case 'jump':
        this.clock.shift(step.byMs);
        this.look();
        return;
      case 'blip':
        this.clock.shift(step.byMs);
        this.look();
        this.pass(step.ms);
        this.clock.shift(-step.byMs);
        this.look();
        return;
      case 'restart': {
        const stored = this.ageMs;
        this.clock.restart(step.downMs + step.byMs);
        this.trueMs += step.downMs;
        this.#watch = this.#begin();
        this.#age = new AgeClock(stored, this.#watch.read());
        this.look();
        return;
      }
    }
  }
}

test('whatever jumps are taken back in time, it is never ahead of true time, never stands still, and catches up with downtime', () => {
  fc.assert(
    fc.property(blips, (steps) => {
      const site = new Site(({ ageMs, trueMs }) => expect(ageMs).toBeLessThanOrEqual(trueMs + AHEAD_MS_MAX));
      for (const step of steps) {
        const [ageMs, livedMs] = [site.ageMs, site.livedMs];
        site.run(step);
        expect(site.ageMs - ageMs, 'it goes on while a process lives').toBeGreaterThanOrEqual(
          site.livedMs - livedMs - ROUNDING_MS,
        );
      }
      site.pass(AGREES_MS + SECOND_MS);
      expect(site.trueMs - site.ageMs, 'downtime counts once the clock has agreed').toBeLessThanOrEqual(ROUNDING_MS);
    }),
    { numRuns: 150 },
  );
});

test('whatever jumps last, it goes on by no less than lived time and no faster until a clock has been believed', () => {
  fc.assert(
    fc.property(anything, (steps) => {
      const site = new Site(() => undefined);
      for (const step of steps) {
        const [ageMs, livedMs, wallMs] = [site.ageMs, site.livedMs, site.clock.wallMs()];
        site.run(step);
        const [agedMs, passedMs] = [site.ageMs - ageMs, site.livedMs - livedMs];
        expect(agedMs).toBeGreaterThanOrEqual(passedMs - ROUNDING_MS);
        // Only what a wall clock said for long enough can take it further, and never beyond what
        // that clock says. A blip of less than a second is no jump: the clock goes on being
        // believed while it lasts.
        const saidMs = Math.max(wallMs, site.clock.wallMs(), step.kind === 'blip' ? wallMs + step.byMs : 0);
        const mayBe = Math.max(passedMs, saidMs + passedMs - ageMs);
        expect(agedMs).toBeLessThanOrEqual(mayBe + ROUNDING_MS);
        if (step.kind === 'jump' || step.kind === 'restart') expect(agedMs).toBeLessThanOrEqual(AHEAD_MS_MAX);
      }
    }),
    {
      numRuns: 150,
      examples: [
        [
          [
            { kind: 'pass', ms: 299_992 },
            { kind: 'blip', byMs: 11, ms: 8 },
          ],
        ],
      ],
    },
  );
});

test('a month of downtime is honoured when the clock has agreed for long enough, not before', () => {
  const site = new Site(() => undefined);
  site.pass(MINUTE_MS);
  const stoppedMs = site.ageMs;
  site.run({ kind: 'restart', downMs: 31 * DAY_MS, byMs: 0 });
  site.pass(AGREES_MS - SECOND_MS);
  expect(site.ageMs).toBe(stoppedMs + AGREES_MS - SECOND_MS);
  site.pass(SECOND_MS);
  expect(site.ageMs).toBe(site.trueMs);
});

test('a clock that is set back ten minutes for good stops nothing', () => {
  const site = new Site(() => undefined);
  site.run({ kind: 'jump', byMs: -10 * MINUTE_MS });
  site.pass(20 * MINUTE_MS);
  expect(site.ageMs).toBe(START_MS + 20 * MINUTE_MS);
});
