// The moves that run: what is known of each, the room they leave under the limits, and which were
// asked to cancel.
import type { BatchItem, BatchProgress, Concurrency } from '../../../contracts/batch.js';
import type { BatchTicket, CarriedBatch } from '../../../contracts/batch-run.js';
import type { MoveId, VolumeId } from '../../../contracts/ids.js';
import { Occupancy } from './occupancy.js';

type Carried = Pick<CarriedBatch, 'concurrency' | 'flying'>;

/** How many of the longest-running moves are shown. */
const LONGEST_SHOWN = 5;

export interface Flight {
  readonly ticket: BatchTicket;
  readonly workflowId: string;
  readonly startedAtMs: number;
  readonly cancelAsked: boolean;
  /** Absent until this run has started or found the move's workflow. */
  readonly move?: MoveId;
  /** Absent in a new run until the plan is read. */
  readonly item?: BatchItem;
}

/** A read-only view for other modules. */
export type InFlightView = Pick<InFlight, 'get' | 'isMoving' | 'limits' | 'longest' | 'seqOf' | 'workflowIds'>;

export class InFlight {
  #limits: Concurrency;
  readonly #flights: Map<number, Flight>;
  readonly #occupancy = new Occupancy();

  constructor({ concurrency, flying }: Carried) {
    this.#limits = concurrency;
    this.#flights = new Map(
      flying.map(({ workflowId, startedAtMs, cancelAsked, ...ticket }) => [
        ticket.seq,
        { ticket, workflowId, startedAtMs, cancelAsked },
      ]),
    );
  }

  carried(): Carried {
    return {
      concurrency: this.#limits,
      flying: this.#all.map(({ ticket, workflowId, startedAtMs, cancelAsked }) => ({
        ...ticket,
        workflowId,
        startedAtMs,
        cancelAsked,
      })),
    };
  }

  get size(): number {
    return this.#flights.size;
  }

  get limits(): Concurrency {
    return this.#limits;
  }

  get workflowIds(): readonly string[] {
    return this.#all.map(({ workflowId }) => workflowId);
  }

  /** Numbers of running moves whose items are missing; the limits need them. */
  get unread(): readonly number[] {
    return this.#all.flatMap(({ ticket, item }) => (item === undefined ? [ticket.seq] : []));
  }

  /** The longest-running moves, the oldest first. */
  get longest(): BatchProgress['longest'] {
    return this.#all
      .flatMap(({ item, startedAtMs }) =>
        item === undefined ? [] : [{ volumes: item.volumes, to: item.to, sinceMs: startedAtMs }],
      )
      .sort((a, b) => a.sinceMs - b.sinceMs)
      .slice(0, LONGEST_SHOWN);
  }

  get(seq: number): Flight | undefined {
    return this.#flights.get(seq);
  }

  seqOf(workflowId: string): number | undefined {
    return this.#all.find((flight) => flight.workflowId === workflowId)?.ticket.seq;
  }

  isMoving(volume: VolumeId): boolean {
    return this.#all.some(({ item }) => item?.volumes.includes(volume) === true);
  }

  limit(limits: Concurrency): void {
    this.#limits = limits;
  }

  get isFull(): boolean {
    return this.size >= this.#limits.all;
  }

  /** Whether the move may start under every limit except the overall one. */
  hasRoomFor(item: BatchItem): boolean {
    return this.#occupancy.hasRoom(item, this.#limits);
  }

  add(ticket: BatchTicket, item: BatchItem, { workflowId, nowMs }: { workflowId: string; nowMs: number }): void {
    this.#flights.set(ticket.seq, { ticket, workflowId, startedAtMs: nowMs, cancelAsked: false, item });
    this.#occupancy.enter(item);
  }

  named(seq: number, move: MoveId): void {
    const flight = this.#flights.get(seq);
    if (flight !== undefined) this.#flights.set(seq, { ...flight, move });
  }

  /** @returns false when the move does not run */
  provide(item: BatchItem): boolean {
    const flight = this.#flights.get(item.seq);
    if (flight === undefined) return false;
    if (flight.item === undefined) {
      this.#flights.set(item.seq, { ...flight, item });
      this.#occupancy.enter(item);
    }
    return true;
  }

  /** @returns undefined when the move does not run or was removed before */
  remove(seq: number): Flight | undefined {
    const flight = this.#flights.get(seq);
    this.#flights.delete(seq);
    if (flight?.item !== undefined) this.#occupancy.leave(flight.item);
    return flight;
  }

  /**
   * Marks every running move as asked to cancel. @returns workflow ids of those that were not
   * marked before
   */
  requestCancellation(): readonly string[] {
    const notAsked = this.#all.filter(({ cancelAsked }) => !cancelAsked);
    for (const flight of notAsked) this.#flights.set(flight.ticket.seq, { ...flight, cancelAsked: true });
    return notAsked.map(({ workflowId }) => workflowId);
  }

  get #all(): readonly Flight[] {
    return [...this.#flights.values()];
  }
}
