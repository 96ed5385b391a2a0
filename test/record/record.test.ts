// Records the histories of the replay tests anew, on purpose only:
// `VOLUME_MOVER_RECORD=1 npx vitest run --project record`. A change that needs this breaks moves
// that are under way, unless it is behind a patch: keep the old histories beside the new.
import { TypedSearchAttributes } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { runsOf } from '../integration/support/batch-history.js';
import { ask, startBatch, untilCounts } from '../integration/support/batches.js';
import { Moves, type MoveHandle } from '../integration/support/moves.js';
import type { MoveProgress, MoveRequestName } from '../../contracts/move.js';
import { attributesAtStart } from '../../contracts/search-pairs.js';
import type { moveVolume } from '../../workflows/index.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { HISTORIES } from '../replay/histories.js';

const MOVE = { volume: 's0v0', to: 'g2' };

interface Recording {
  readonly name: string;
  readonly run: (moves: Moves) => Promise<MoveHandle>;
}

const recordings: readonly Recording[] = [
  { name: 'happy', run: async (moves) => moves.move(MOVE) },
  {
    name: 'started-searchable',
    run: async (moves) =>
      moves.client.workflow.start<typeof moveVolume>('moveVolume', {
        taskQueue: moves.taskQueue,
        workflowId: `move-${randomUUID()}`,
        args: [MOVE],
        typedSearchAttributes: new TypedSearchAttributes(attributesAtStart(MOVE)),
      }),
  },
  {
    name: 'report-stored-later',
    run: async (moves) => {
      // As many as the tries that are made at once, each at every appliance.
      moves.live.faults.fail('storeReport', new MoverError('UNREACHABLE', 'The line is dead.'), 10);
      return moves.move(MOVE);
    },
  },
  { name: 'ticket-floor', run: async (moves) => moves.move(MOVE) },
  {
    name: 'ticket-floor-later',
    run: async (moves) => {
      // As many as the tries that are made at once, each at every appliance.
      moves.live.faults.fail('ticketFloor', new MoverError('UNREACHABLE', 'The line is dead.'), 10);
      return moves.move(MOVE);
    },
  },
  {
    name: 'retried',
    run: async (moves) => {
      moves.live.faults.fail('seal', new MoverError('UNREACHABLE', 'The line is dead.'), 2);
      return moves.move(MOVE);
    },
  },
  {
    name: 'aborted',
    run: async (moves) => {
      moves.live.faults.fail('bookmark', new MoverError('CORRUPT', 'A checksum is wrong.'), 1);
      return moves.move(MOVE);
    },
  },
  {
    name: 'next-attempt',
    run: async (moves) => {
      moves.live.faults.fail('seal', new MoverError('CUT_VOID', 'The cut is void.'), 1);
      return moves.move(MOVE);
    },
  },
  { name: 'cancelled', run: async (moves) => cancelDuring(moves, 'drain') },
  { name: 'completed-forward', run: async (moves) => cancelDuring(moves, 'learn') },
  {
    name: 'approved',
    run: async (moves) => {
      const handle = await moves.move({ ...MOVE, cutover: 'manual' });
      await untilStage(handle, 'ready');
      await request(handle, 'approve');
      return handle;
    },
  },
  {
    name: 'paused-and-resumed',
    run: async (moves) => {
      const handle = await requestDuring(moves, 'pause', 'bookmark');
      await request(handle, 'resume');
      return handle;
    },
  },
  {
    name: 'queued',
    run: async (moves) => {
      const hold = moves.live.faults.hold('open', 'after');
      const first = await moves.move({ ...MOVE, to: 'g3' });
      await hold.reached;
      const second = await moves.move({ ...MOVE, queue: true });
      await untilStage(second, 'queued');
      await first.cancel();
      hold.release();
      return second;
    },
  },
  { name: 'aborted-by-a-person', run: async (moves) => requestDuring(moves, 'abort', 'drain') },
  { name: 'invalid-input', run: async (moves) => moves.startAny('moveVolume', [{ ...MOVE, target: 'g2' }]) },
  { name: 'unknown-workflow', run: async (moves) => moves.startAny('moveVolumes', [MOVE]) },
];

async function request(handle: MoveHandle, name: MoveRequestName): Promise<void> {
  await handle.executeUpdate(name, { args: [{ operator: 'sam', reason: 'for this record' }] });
}

async function requestDuring(moves: Moves, name: MoveRequestName, call: 'bookmark' | 'drain'): Promise<MoveHandle> {
  const hold = moves.live.faults.hold(call, 'before');
  const handle = await moves.move(MOVE);
  await hold.reached;
  await request(handle, name);
  hold.release();
  return handle;
}

async function untilStage(handle: MoveHandle, wanted: MoveProgress['stage']): Promise<void> {
  await untilTrue(`the stage ${wanted}`, PATIENCE_MS, async () => {
    const { stage } = await handle.query<MoveProgress>('progress');
    return stage === wanted;
  });
}

async function cancelDuring(moves: Moves, operation: 'drain' | 'learn'): Promise<MoveHandle> {
  const hold = moves.live.faults.hold(operation, 'before');
  const handle = await moves.move(MOVE);
  await hold.reached;
  await handle.cancel();
  await handle.result().catch(() => undefined);
  hold.release();
  return handle;
}

function textOf(history: Parameters<typeof historyToJSON>[0]): string {
  return `${JSON.stringify(withoutPlaces(JSON.parse(historyToJSON(history))), null, 1)}\n`;
}

function write(name: string, text: string): void {
  writeFileSync(join(HISTORIES, `${name}.json`), text);
}

describe('recording', () => {
  let moves: Moves;
  afterEach(async () => moves.stop());

  test.each(recordings)('$name', async ({ name, run }) => {
    moves = await Moves.start();
    const handle = await run(moves);
    await handle.result().catch(() => undefined);
    const text = textOf(await handle.fetchHistory());
    expect(text).not.toContain(process.cwd());
    write(name, text);
  });

  test('batch-1 and batch-2: a move fails, one lasts longer than a run, and somebody asks for two at once and another turn', async () => {
    moves = await Moves.start({ volumesPerSplitter: 5, runEventsMax: 70 });
    moves.live.faults.fail('seal', new MoverError('CORRUPT', 'A checksum is wrong.'), 1);
    const options = { concurrency: { all: 1 } };
    const handle = await startBatch(moves, { select: { from: 'g1' }, to: 'g2', options });
    await untilCounts(handle, ({ failed }) => failed === 1);
    const hold = moves.live.faults.hold('open', 'before');
    await hold.reached;
    await ask(handle, 'setConcurrency', { concurrency: { all: 2 } });
    await untilCounts(handle, ({ waiting, running }) => waiting === 0 && running === 1);
    await ask(handle, 'retryFailed');
    hold.release();
    expect((await handle.result()).counts).toMatchObject({ moved: 5, failed: 0 });
    const texts = (await runsOf(moves, handle)).map(textOf);
    expect(texts).toHaveLength(2);
    for (const text of texts) expect(text).not.toContain(process.cwd());
    for (const [i, text] of texts.entries()) write(`batch-${i + 1}`, text);
  });
});

/**
 * Stack traces name the recording machine's folders, and a client's identity the machine; no replay
 * needs them.
 */
function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'stackTrace')
      .map(([key, inner]) => [key, key === 'identity' && isPlace(inner) ? 'client' : withoutPlaces(inner)]),
  );
}

/** `<process id>@<host>`, as the SDK names whoever has no name. */
function isPlace(identity: unknown): boolean {
  return typeof identity === 'string' && identity.includes('@');
}
