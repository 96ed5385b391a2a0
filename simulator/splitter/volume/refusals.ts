// Sentences for an administrator about a disk that guests may not use: what happened, what it means
// for the data, what to type.
import type { VolumeId } from '../../../contracts/ids.js';

export function missingSource(volume: VolumeId): string {
  return `The source of volume "${volume}" is gone. Guests get I/O errors, and its replica is kept as it is; it stays so until you decide. Put that very file back and start the splitter again, or type: volume-mover source recover ${volume} (from the replica), or: volume-mover source accept ${volume} (a copy that you put in its place), or: volume-mover source accept-blank ${volume} (an empty disk).`;
}

export function foreignSource(volume: VolumeId): string {
  return `The disk of volume "${volume}" is not the one that its replica was made from. Guests get I/O errors, nothing of it is sent, and the replica is kept as it is; it stays so until you decide. Put this splitter's whole folder back and start it again, or type: volume-mover source recover ${volume} (from the replica), or: volume-mover source accept ${volume} (the disk that is there, as it is).`;
}

export function unprovenSource(volume: VolumeId): string {
  return `The disk of volume "${volume}" is new here, and the replica site has not said yet whether it has the volume from another disk. Guests' requests wait for a moment, and then get I/O errors. Start the replica site and the appliance: it goes on by itself. If they stay away, and the volume is new, type: volume-mover source accept-blank ${volume} (an empty disk), or: volume-mover source accept ${volume} (the disk that is there).`;
}
