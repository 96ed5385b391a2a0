// What one side of a comparison tells of its regions, in order. The next answer is asked for while
// the last one is compared.
import { MoverError } from '../contracts/errors.js';
import type { DigestRun } from '../contracts/verify.js';

interface Answer {
  readonly regions: number;
  readonly digests: readonly DigestRun[];
}
type Ask = (from: number, count: number) => Promise<Answer>;

export class DigestRuns {
  readonly #ask: Ask;
  readonly #end: number;
  /** The first region that was not asked about yet. */
  #next: number;
  #asked: Promise<Answer> | undefined;
  #runs: readonly DigestRun[] = [];
  #index = 0;
  /** Regions of the first run that were dropped already. */
  #dropped = 0;

  /** @param end the region after the last one */
  constructor(from: number, end: number, ask: Ask) {
    this.#next = from;
    this.#end = end;
    this.#ask = ask;
  }

  /** The run that comes next; undefined when nothing is left until `fill` is called. */
  get first(): DigestRun | undefined {
    return this.#runs[this.#index];
  }

  /** How many regions the first run is about. */
  get regions(): number {
    const run = this.first;
    return (typeof run === 'number' ? run : 1) - this.#dropped;
  }

  /** Drops regions of the first run. @param regions at most as many as the run is about */
  drop(regions: number): void {
    if (regions < this.regions) {
      this.#dropped += regions;
      return;
    }
    this.#index += 1;
    this.#dropped = 0;
  }

  /**
   * Waits for the next answer if nothing is left of the last one.
   * @throws MoverError INTERNAL for an answer that contradicts itself, and those of the call
   */
  async fill(): Promise<void> {
    if (this.first !== undefined) return;
    const from = this.#next;
    const answer = await (this.#asked ?? this.#askNext());
    this.#asked = undefined;
    this.#refuseWrong(answer, this.#end - from);
    this.#runs = answer.digests;
    this.#index = 0;
    this.#next = from + answer.regions;
    if (this.#next < this.#end) this.#asked = this.#askNext();
  }

  #askNext(): Promise<Answer> {
    const asked = this.#ask(this.#next, this.#end - this.#next);
    // Its failure is told when its turn comes; by then nobody may want it any more.
    asked.catch(() => undefined);
    return asked;
  }

  #refuseWrong({ regions, digests }: Answer, asked: number): void {
    const told = digests.reduce<number>((sum, run) => sum + (typeof run === 'number' ? run : 1), 0);
    if (regions > 0 && regions <= asked && told === regions) return;
    throw new MoverError(
      'INTERNAL',
      `An answer says that it is about ${regions} of ${asked} regions, and has digests of ${told}.`,
    );
  }
}
