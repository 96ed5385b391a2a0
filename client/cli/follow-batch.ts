// Follows a running batch to its end: a picture on a terminal, lines in a log.
import type { BatchProgress } from '../../contracts/batch.js';
import { MoverError } from '../../contracts/errors.js';
import type { Batch } from '../batches/batch-client.js';
import type { MoverClient } from '../sdk.js';
import { answerWithBatch } from './batch-answer.js';
import { batchLine, batchPicture } from './batch-view.js';
import { failureLine } from '../batches/batch-lines.js';
import { EXIT, type ExitCode } from './exit-code.js';
import type { Output } from './output.js';

/** How often the picture is redrawn, ms: its durations grow even without news. */
const PICTURE_INTERVAL_MS = 500;
/** Pause between lines of counts, ms. It keeps a night's log readable. */
const LINE_INTERVAL_MS = 10_000;

/** Follows a batch. Ctrl-C leaves it running and says so. @throws what following it throws */
export async function followBatch(
  client: MoverClient,
  batchId: string,
  output: Output,
  signal: AbortSignal,
): Promise<ExitCode> {
  try {
    return await answerWithBatch(client, await show(client, batchId, output, signal), output);
  } catch (error) {
    if (!signal.aborted) throw error;
    output.answer(
      { batchId, state: 'running', interrupted: true },
      () => `Interrupted: batch ${batchId} goes on. Watch it again with: volume-mover batch watch ${batchId}`,
    );
    return EXIT.interrupted;
  }
}

async function show(client: MoverClient, batchId: string, output: Output, signal: AbortSignal): Promise<Batch> {
  const picture = output.picture();
  const log = new Log(output);
  let batch: Batch | undefined;
  let progress: BatchProgress | undefined;
  const draw = (): void => {
    if (progress !== undefined) picture?.draw(batchPicture(progress, Date.now()));
  };
  const ticker = picture === undefined ? undefined : setInterval(draw, PICTURE_INTERVAL_MS);
  try {
    for await (batch of client.batches.follow(batchId, { signal })) {
      ({ progress } = batch);
      if (picture !== undefined) draw();
      else if (progress !== undefined) log.add(progress, Date.now());
    }
  } finally {
    clearInterval(ticker);
    picture?.clear();
  }
  if (batch === undefined) throw new MoverError('INTERNAL', 'There was nothing to follow.');
  return batch;
}

/** Logs news, one line each: the stage, failures, and sometimes the counts. */
class Log {
  readonly #output: Output;
  #stage: BatchProgress['stage'] | undefined;
  #failures = 0;
  #loggedAtMs = 0;
  #loggedLine = '';

  constructor(output: Output) {
    this.#output = output;
  }

  add(progress: BatchProgress, nowMs: number): void {
    const { stage, failures } = progress;
    // A failed move that is retried leaves the list.
    this.#failures = Math.min(this.#failures, failures.length);
    for (const failure of failures.slice(this.#failures)) this.#output.progress(`failed: ${failureLine(failure)}`);
    this.#failures = failures.length;
    const line = batchLine(progress);
    const isDue = nowMs - this.#loggedAtMs >= LINE_INTERVAL_MS && line !== this.#loggedLine;
    if (stage === this.#stage && !isDue) return;
    this.#output.progress(line);
    this.#stage = stage;
    this.#loggedAtMs = nowMs;
    this.#loggedLine = line;
  }
}
