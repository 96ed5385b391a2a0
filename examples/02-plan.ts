// 2. Plan a move: shows every reason against it at once, and changes nothing.
import { createMoverClient, findEstateFile, readEstateFile } from 'volume-mover';

const client = createMoverClient({ estate: readEstateFile(findEstateFile()) });
try {
  const good = await client.moves.plan({ volume: 'vm-2-disk-0', to: 'cg-silver' });
  console.log(good.ok ? 'vm-2-disk-0 can move' : 'vm-2-disk-0 can not move');
  for (const { volume, sizeBytes, unconfirmedBytes } of good.volumes)
    console.log(`${volume}: ${sizeBytes} bytes, ${unconfirmedBytes} on their way`);

  const bad = await client.moves.plan({ volumes: ['vm-2-disk-0', 'vm-9-disk-9'], to: 'cg-silver' });
  for (const { code, subject, message } of bad.reasons) console.log(`${code} ${subject}: ${message}`);
} finally {
  await client.close();
}
