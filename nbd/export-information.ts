// What a server tells a client about an export before it is opened.
import type { BlockDevice } from './block-device.js';
import { Info, TransmissionFlag } from './protocol.js';

/**
 * The transmission flags of an export. The server caches nothing ahead of a read, so it doesn't
 * offer to (`NBD_FLAG_SEND_CACHE`).
 */
export function exportFlags(device: BlockDevice, structured: boolean): number {
  const always = TransmissionFlag.hasFlags | TransmissionFlag.sendFlush | TransmissionFlag.sendFua;
  const changes = device.readOnly
    ? TransmissionFlag.readOnly
    : TransmissionFlag.sendTrim | TransmissionFlag.sendWriteZeroes;
  const multi = device.canMultiConn === true ? TransmissionFlag.canMultiConn : 0;
  const df = structured ? TransmissionFlag.sendDf : 0;
  return always | changes | multi | df;
}

/** The data of the information replies to INFO and GO. */
export function exportInformation(
  name: string,
  device: BlockDevice,
  { structured, payloadBytesMax }: { readonly structured: boolean; readonly payloadBytesMax: number },
): readonly Buffer[] {
  const items = [sizeAndFlags(device, structured), blockSizes(device, payloadBytesMax), label(Info.name, name)];
  if (device.description !== undefined) items.push(label(Info.description, device.description));
  return items;
}

function sizeAndFlags(device: BlockDevice, structured: boolean): Buffer {
  const item = Buffer.alloc(12);
  item.writeUInt16BE(Info.export, 0);
  item.writeBigUInt64BE(BigInt(device.sizeBytes), 2);
  item.writeUInt16BE(exportFlags(device, structured), 10);
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
