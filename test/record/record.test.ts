// Records the histories of the replay tests anew, on purpose only: VOLUME_MOVER_RECORD=1 npx vitest run --project record
// A change that needs this breaks moves that are under way, unless it is behind a patch: keep the old histories beside the new.
import { TypedSearchAttributes } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { Moves, type MoveHandle } from '../integration/support/moves.js';
import { attributesAtStart } from '../../workflows/search-attributes.js';
import type { moveVolume } from '../../workflows/index.js';
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
  { name: 'invalid-input', run: async (moves) => moves.startAny('moveVolume', [{ ...MOVE, target: 'g2' }]) },
  { name: 'unknown-workflow', run: async (moves) => moves.startAny('moveVolumes', [MOVE]) },
];

async function cancelDuring(moves: Moves, operation: 'drain' | 'learn'): Promise<MoveHandle> {
  const hold = moves.live.faults.hold(operation, 'before');
  const handle = await moves.move(MOVE);
  await hold.reached;
  await handle.cancel();
  await handle.result().catch(() => undefined);
  hold.release();
  return handle;
}

describe('recording', () => {
  let moves: Moves;
  afterEach(async () => moves.stop());

  test.each(recordings)('$name', async ({ name, run }) => {
    moves = await Moves.start();
    const handle = await run(moves);
    await handle.result().catch(() => undefined);
    const text = JSON.stringify(withoutPlaces(JSON.parse(historyToJSON(await handle.fetchHistory()))), null, 1);
    expect(text).not.toContain(process.cwd());
    writeFileSync(join(HISTORIES, `${name}.json`), `${text}\n`);
  });
});

/** Stack traces name the recording machine's folders, and no replay needs them. */
function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'stackTrace')
      .map(([key, inner]) => [key, withoutPlaces(inner)]),
  );
}
