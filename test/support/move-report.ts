// A move that ended, made up for the tests of its report.
import { type StoredMoveReport, storedMoveReportSchema } from '../../contracts/report.js';
import { BEGAN_MS } from './batch-report.js';

const MOVE = 'move-vm-1@00000000-0000-4000-8000-000000000000';
const STEPS = ['notify', 'flush', 'snapshot', 'bookmark', 'reconfigure'];

export function madeStoredMove(changes: Readonly<Record<string, unknown>> = {}): StoredMoveReport {
  const attempt = { move: MOVE, n: 2 };
  const hole = { volume: 'vm-1-disk-0', fromPosition: 5, toPosition: 9, sinceMs: BEGAN_MS, untilMs: BEGAN_MS + 900 };
  const report = {
    move: MOVE,
    outcome: 'moved',
    completedForward: false,
    attempt,
    volumes: [
      {
        volume: 'vm-1-disk-0',
        splitter: 'host-1',
        epochBefore: 1,
        epochAfter: 2,
        cut: { volume: 'vm-1-disk-0', session: 3, n: 1_926, position: 1_926 },
        backlogBytes: 4_096,
        resentBytes: 0,
        holes: [{ ...hole, reason: 'backlog overflow' }],
      },
    ],
    from: { group: 'cg-gold', appliance: 'appliance-1', url: 'http://127.0.0.1:1' },
    to: { group: 'cg-silver', appliance: 'appliance-2', url: 'http://127.0.0.1:2' },
    operator: 'ann',
    reason: 'tiers',
    startedAtMs: BEGAN_MS,
    endedAtMs: BEGAN_MS + 1_200,
    fencedMs: 263,
    cutAtMs: BEGAN_MS + 700,
    committedAtMs: BEGAN_MS + 1_000,
    bookmarks: {
      left: { point: 'p000000031', group: 'cg-gold', name: 'vm-1-disk-0 left for cg-silver' },
      joined: { point: 'p000000032', group: 'cg-silver', name: 'vm-1-disk-0 joined from cg-gold' },
    },
    steps: STEPS.map((step, i) => ({
      step,
      attempt: 2,
      startedAtMs: BEGAN_MS + i * 200,
      endedAtMs: BEGAN_MS + i * 200 + 150,
    })),
    abortedAttempts: [{ n: 1, reason: 'the cut was void' }],
  };
  return storedMoveReportSchema.parse({
    move: MOVE,
    outcome: 'moved',
    volumes: ['vm-1-disk-0'],
    from: 'cg-gold',
    to: 'cg-silver',
    startedAtMs: BEGAN_MS,
    endedAtMs: BEGAN_MS + 1_200,
    operator: 'ann',
    reason: 'tiers',
    report,
    ...changes,
  });
}
