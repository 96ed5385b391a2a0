// What a server tells a client about an export before it is opened.
import type { BlockDevice } from './block-device.js';
import { Info, TransmissionFlag } from './protocol.js';

/** The transmission flags of an export. */
export function exportFlags(device: BlockDevice): number {
  const always =
    TransmissionFlag.hasFlags |
    TransmissionFlag.sendFlush |
    TransmissionFlag.sendFua |
    TransmissionFlag.sendTrim |
    TransmissionFlag.sendWriteZeroes;
  const readOnly = device.readOnly ? TransmissionFlag.readOnly : 0;
  const multi = device.canMultiConn === true ? TransmissionFlag.canMultiConn : 0;
  return always | readOnly | multi;
}

/** The data of the information replies to INFO and GO. */
export function exportInformation(name: string, device: BlockDevice, payloadBytesMax: number): readonly Buffer[] {
  const items = [sizeAndFlags(device), blockSizes(device, payloadBytesMax), label(Info.name, name)];
  if (device.description !== undefined) items.push(label(Info.description, device.description));
  return items;
}

function sizeAndFlags(device: BlockDevice): Buffer {
  const item = Buffer.alloc(12);
  item.writeUInt16BE(Info.export, 0);
  item.writeBigUInt64BE(BigInt(device.sizeBytes), 2);
  item.writeUInt16BE(exportFlags(device), 10);
  return item;
}

function blockSizes(device: BlockDevice, payloadBytesMax: number): Buffer {
  const item = Buffer.alloc(14);
  item.writeUInt16BE(Info.blockSize, 0);
  item.writeUInt32BE(device.blockSizes.minimum, 2);
  item.writeUInt32BE(device.blockSizes.preferred, 6);
  item.writeUInt32BE(Math.min(device.blockSizes.maximum, payloadBytesMax), 10);
  return item;
}

function label(kind: number, words: string): Buffer {
  const bytes = Buffer.from(words, 'utf8');
  const item = Buffer.alloc(2 + bytes.length);
  item.writeUInt16BE(kind, 0);
  bytes.copy(item, 2);
  return item;
}
