// 6. Verify: compare a volume with its replica, byte for byte at one common point, while the guest
// writes on.
import { createMoverClient, findEstateFile, readEstateFile } from 'volume-mover';

const client = createMoverClient({ estate: readEstateFile(findEstateFile()) });
try {
  const { verificationId } = await client.verifications.start({ volume: 'vm-3-disk-0', operator: 'ann' });
  for await (const { progress } of client.verifications.follow(verificationId))
    if (progress !== undefined) console.log(`${progress.nextRegion} of ${progress.regions} regions`);

  const { state, report, error } = await client.verifications.get(verificationId);
  console.log(`verdict: ${state}`);
  for (const { offset, length, fault } of report?.mismatches ?? [])
    console.log(`${length} bytes at ${offset}: ${fault}`);
  if (state !== 'same') throw error ?? new Error(`The verification ended as ${state}.`);
  console.log(`${report?.sizeBytes} bytes compared`);
} finally {
  await client.close();
}
