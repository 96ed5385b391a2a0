// 6. Verify: compare a volume with its replica, byte for byte at one common point, while the guest
// writes on.
import { createMoverClient, findEstateFile, readEstateFile } from 'volume-mover';

const client = createMoverClient({ estate: readEstateFile(findEstateFile()) });
try {
  const { workflowId } = await client.startVerify({ volume: 'vm-3-disk-0', operator: 'ann' });
  for await (const { nextRegion, regions } of client.watchVerify(workflowId))
    console.log(`${nextRegion} of ${regions} regions`);

  const { state, report, error } = await client.getVerify(workflowId);
  console.log(`verdict: ${state}`);
  for (const { offset, length, fault } of report?.mismatches ?? [])
    console.log(`${length} bytes at ${offset}: ${fault}`);
  if (state !== 'same') throw error ?? new Error(`The verification ended as ${state}.`);
  console.log(`${report?.sizeBytes} bytes compared`);
} finally {
  await client.close();
}
