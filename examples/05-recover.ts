// 5. Recover a point: name the present state, then copy it to a file while the guest writes on.
import { stat } from 'node:fs/promises';
import { createMoverClient, findEstateFile, readEstateFile } from 'volume-mover';
import { groupIdSchema, volumeIdSchema } from 'volume-mover/contracts';

const client = createMoverClient({ estate: readEstateFile(findEstateFile()) });
const volume = volumeIdSchema.parse('vm-3-disk-0');
try {
  const point = await client.points.close({
    group: groupIdSchema.parse('cg-bronze'),
    bookmark: 'before the upgrade',
    keep: 'forever',
  });
  console.log(`bookmark: ${point.bookmark?.name}`);

  const { points } = await client.points.list({ volume });
  console.log(`listed: ${points.some(({ id }) => id === point.id)}`);

  // Without a point or a time it recovers the newest point. `atMs: '-2h'` takes the last one from
  // two hours ago.
  const { files } = await client.points.recover({ volume, point: point.id, to: 'vm-3-disk-0.img', overwrite: true });
  for (const { path, position } of files)
    console.log(`${volume} at position ${position}: ${(await stat(path)).size} bytes`);
} finally {
  await client.close();
}
