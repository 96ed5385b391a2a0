// 1. Start a move and follow it: the guest writes on, and its history stays with the volume.
import { createMoverClient, findEstateFile, readEstateFile } from 'volume-mover';

const client = createMoverClient({ estate: readEstateFile(findEstateFile()) });
try {
  const { moveId } = await client.moves.start({
    volume: 'vm-1-disk-0',
    to: 'cg-silver',
    operator: 'ann',
    reason: 'tier change',
  });
  // Following ends with the move. A program that stops following leaves the move running.
  for await (const { state, progress } of client.moves.follow(moveId)) console.log(state, progress?.stage);

  const { report, error, state } = await client.moves.get(moveId);
  if (report === undefined) throw error ?? new Error(`The move ended as ${state}.`);
  const { left, joined } = report.bookmarks;
  console.log(`moved, fenced for ${report.fencedMs} ms`);
  console.log(`old group: ${left.name}`);
  console.log(`new group: ${joined.name}`);
} finally {
  await client.close();
}
