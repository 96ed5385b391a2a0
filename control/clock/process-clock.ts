// Watches a process's own clock from start to end, and reports in its health and its log.
import { type ClockDoubt, type ClockView, doubtSentence, shiftText } from '../../contracts/clock.js';
import { type Clock, type Moment, systemClock } from './clock.js';
import { ClockWatch } from './clock-watch.js';

/** How often the clocks are compared when nobody reads them, ms. */
const CHECK_INTERVAL_MS = 1_000;

/** The log methods used for jumps. */
export interface ClockLog {
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

export interface ProcessClockOptions {
  /** The process's name in sentences. @example "splitter host-1" */
  readonly process: string;
  /** How long the wall clock must agree with monotonic time to be believed. */
  readonly agreesAfterMs?: number | undefined;
  readonly log: ClockLog;
  readonly clock?: Clock | undefined;
}

export class ProcessClock {
  readonly watch: ClockWatch;
  readonly #process: string;
  readonly #timer: NodeJS.Timeout;

  constructor({ process, agreesAfterMs, log, clock = systemClock }: ProcessClockOptions) {
    this.#process = process;
    this.watch = new ClockWatch({
      clock,
      process,
      agreesAfterMs,
      onJump: (doubt) => log.warn({ ...doubt }, doubtSentence(doubt)),
      onAgreed: () => log.info({}, 'the wall clock has agreed with monotonic time for long enough: no doubt any more'),
    });
    this.#timer = setInterval(() => this.watch.read(), CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  now(): Moment {
    return this.watch.read();
  }

  /** Monotonic time, for durations. */
  get monotonicMs(): number {
    return this.watch.read().monotonicMs;
  }

  /** Wall time, for labels. */
  get wallMs(): number {
    return this.watch.read().wallMs;
  }

  get view(): ClockView {
    const { wallMs, doubt } = this.watch.read();
    return { wallMs, ...(doubt === undefined ? {} : { doubt }) };
  }

  /** A sentence while the clock is in doubt. */
  get notes(): string[] {
    const { doubt } = this.watch.read();
    return doubt === undefined ? [] : [this.#sentence(doubt)];
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sentence(doubt: ClockDoubt): string {
    const leftMs = Math.max(0, this.watch.agreesAfterMs - this.watch.agreedForMs);
    return `${doubtSentence(doubt)} Times noted since may be wrong; leases, holds and ages go on by monotonic time. Check the time service of the host of ${this.#process}; this note goes once the clock has run evenly for another ${shiftText(leftMs).slice(1)}.`;
  }
}
