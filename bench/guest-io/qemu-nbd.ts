// The peer without a second copy: qemu-nbd on a raw file.
import { join } from 'node:path';
import { startProgram } from '../child.js';
import { createImage } from './image.js';
import { connectWhenListening, nbdUri } from './socket.js';
import { NOTHING_BEHIND, type Subject } from './subject.js';

const EXPORT = 'disk';

export const qemuNbd: Subject = {
  name: 'qemu-nbd',
  what: 'qemu-nbd on a raw file, cache=writeback; one copy',
  async start({ folder, sizeBytes }) {
    const image = join(folder, 'disk.raw');
    const socket = join(folder, 'nbd.sock');
    await createImage(image, sizeBytes);
    const server = await startProgram('qemu-nbd', [
      '--format=raw',
      '--cache=writeback',
      '--persistent',
      '--shared=2',
      `--export-name=${EXPORT}`,
      `--socket=${socket}`,
      image,
    ]);
    (await connectWhenListening(socket, server)).destroy();
    return {
      uri: nbdUri(socket, EXPORT),
      processes: new Map([['qemu-nbd', server.processId]]),
      secondCopy: async () => NOTHING_BEHIND,
      prove: async () => undefined,
      stop: server.stop,
    };
  },
};
