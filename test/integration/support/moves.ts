// A live estate with a worker of its own on the real Temporal server, and what tests ask of its
// histories.
import { type Client, WorkflowFailedError, type WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter, type PayloadCodec } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, NativeConnection, Runtime, type Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import type { MoveInput } from '../../../contracts/move.js';
import { createWorker } from '../../../workers/create-worker.js';
import type { moveVolume } from '../../../workflows/index.js';
import type { WorldShape } from '../../simulation/world.js';
import { LiveWorld } from './live-world.js';

Runtime.install({
  logger: new DefaultLogger(process.env['VOLUME_MOVER_LOG'] === '1' ? 'WARN' : 'ERROR'),
  // Test files share processes, and some test what Ctrl-C does to a command. By default the SDK
  // takes that signal for its own, and stops the process's workers, later ones included.
  shutdownSignals: [],
});

export type MoveHandle = WorkflowHandleWithFirstExecutionRunId<typeof moveVolume>;

/** One event of a history. */
export type HistoryEvent = NonNullable<Awaited<ReturnType<MoveHandle['fetchHistory']>>['events']>[number];

export interface StartedWorker {
  readonly worker: Worker;
  /** Stops it as a deployment would; safe to call twice. */
  readonly stop: () => Promise<void>;
}

export interface MovesOptions extends Partial<WorldShape> {
  readonly workers?: number;
  /** Events of one run of a batch, instead of the product's own. */
  readonly runEventsMax?: number;
}

export class Moves {
  readonly live: LiveWorld;
  readonly client: Client;
  readonly taskQueue: string;
  readonly #environment: TestWorkflowEnvironment;
  readonly #connections: NativeConnection[] = [];
  readonly #workers: StartedWorker[] = [];
  readonly #runEventsMax: number | undefined;

  private constructor(environment: TestWorkflowEnvironment, live: LiveWorld, runEventsMax: number | undefined) {
    this.#runEventsMax = runEventsMax;
    this.#environment = environment;
    this.live = live;
    this.taskQueue = `test-${randomUUID()}`;
    this.client = environment.client;
  }

  static async start({
    workers = 1,
    splitters = 1,
    volumesPerSplitter = 3,
    described,
    runEventsMax,
  }: MovesOptions = {}): Promise<Moves> {
    const environment = await TestWorkflowEnvironment.createFromExistingServer({
      address: inject('temporalAddress'),
      namespace: inject('temporalNamespace'),
    });
    const moves = new Moves(
      environment,
      new LiveWorld({ splitters, volumesPerSplitter, ...(described === undefined ? {} : { described }) }),
      runEventsMax,
    );
    moves.live.start();
    for (let i = 0; i < workers; i += 1) await moves.startWorker(`worker-${i + 1}`);
    return moves;
  }

  async startWorker(identity: string, codec?: PayloadCodec): Promise<StartedWorker> {
    // The SDK allows one worker a task queue on one connection.
    const connection = await connect();
    this.#connections.push(connection);
    const worker = await createWorker({
      connection,
      namespace: inject('temporalNamespace'),
      settings: { taskQueue: this.taskQueue },
      workflowBundle: { codePath: inject('workflowBundlePath') },
      ports: this.live.faults.wrap(this.live.world.ports()),
      identity,
      codec,
      ...(this.#runEventsMax === undefined ? {} : { batches: { runEventsMax: this.#runEventsMax } }),
    });
    const running = worker.run();
    const started = {
      worker,
      stop: async () => {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await running;
      },
    };
    this.#workers.push(started);
    return started;
  }

  workerStates(): string[] {
    return this.#workers.map(({ worker }) => worker.getState());
  }

  /** @param input what the user gives; anything may be passed to see it refused. */
  async move(input: MoveInput, workflowId: string = `move-${randomUUID()}`): Promise<MoveHandle> {
    return this.startAny('moveVolume', [input], workflowId);
  }

  async startAny(type: string, args: unknown[], workflowId: string = `any-${randomUUID()}`): Promise<MoveHandle> {
    return this.client.workflow.start<typeof moveVolume>(type, {
      taskQueue: this.taskQueue,
      workflowId,
      args: args as [MoveInput],
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map(async ({ stop }) => stop()));
    await this.live.stop();
    await Promise.all(this.#connections.map(async (connection) => connection.close()));
    await this.#environment.teardown();
  }
}

export async function connect(): Promise<NativeConnection> {
  return NativeConnection.connect({ address: inject('temporalAddress') });
}

/** What a move failed with. @throws Error if it did not fail, or was cancelled */
export async function failureOf(handle: Pick<MoveHandle, 'result'>): Promise<ApplicationFailure> {
  const error: unknown = await handle.result().then(
    () => new Error('the move did not fail'),
    (failure: unknown) => failure,
  );
  if (error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure) return error.cause;
  throw error;
}

export async function eventsOf(handle: Pick<MoveHandle, 'fetchHistory'>): Promise<HistoryEvent[]> {
  return (await handle.fetchHistory()).events ?? [];
}

/** The activities that were scheduled, in order. */
export async function activitiesOf(handle: MoveHandle): Promise<string[]> {
  return (await eventsOf(handle)).flatMap(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name ?? [],
  );
}

/** What the timeline says beside each activity. */
export async function summariesOf(handle: MoveHandle): Promise<string[]> {
  const scheduled = (await eventsOf(handle)).filter((event) => event.activityTaskScheduledEventAttributes);
  return scheduled.map(({ userMetadata }) =>
    userMetadata?.summary ? defaultPayloadConverter.fromPayload<string>(userMetadata.summary) : '',
  );
}

/** Which worker ended each activity, and at which try. */
export async function runsOf(handle: MoveHandle): Promise<{ readonly identity: string; readonly attempt: number }[]> {
  return (await eventsOf(handle)).flatMap(({ activityTaskStartedEventAttributes: started }) =>
    started ? [{ identity: started.identity ?? '', attempt: started.attempt ?? 0 }] : [],
  );
}

/** Whether a workflow task ever failed: what must never happen. */
export async function failedTasksOf(handle: MoveHandle): Promise<number> {
  return (await eventsOf(handle)).filter((event) => event.workflowTaskFailedEventAttributes).length;
}
