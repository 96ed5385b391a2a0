// Sentences for an administrator about a disk that guests may not use: what happened, what it means
// for the data, what to type.
import type { VolumeId } from '../../../contracts/ids.js';

export function missingSource(volume: VolumeId): string {
  return `The source of volume "${volume}" is missing. Guests get I/O errors, and its replica is kept as it is, until you decide. Put the same file back and restart the splitter, or type: volume-mover source recover ${volume} (from the replica), or: volume-mover source accept ${volume} (a copy that you put in its place), or: volume-mover source accept-blank ${volume} (an empty disk).`;
}

export function foreignSource(volume: VolumeId): string {
  return `The disk of volume "${volume}" is not the one that its replica was made from. Guests get I/O errors, nothing is sent, and the replica is kept as it is, until you decide. Put this splitter's whole folder back and restart it, or type: volume-mover source recover ${volume} (from the replica), or: volume-mover source accept ${volume} (the disk that is there, as it is).`;
}

export function unprovenSource(volume: VolumeId): string {
  return `The disk of volume "${volume}" is new here, and the replica site has not confirmed yet that it has no replica of another disk. Guests' requests wait for a short time, then get I/O errors. Start the replica site and the appliance: the volume then goes on by itself. Without them, and only if the volume is new, type: volume-mover source accept-blank ${volume} (an empty disk), or: volume-mover source accept ${volume} (the disk that is there).`;
}
