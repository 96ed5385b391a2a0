// A disk that refuses some calls on some files, as a full or failing one does, until it is mended.
import type { Files } from '../../simulator/replica-site/journal/terms/files.js';

export type FileCall = 'read' | 'write' | 'truncate' | 'rename' | 'remove';

export interface Fault {
  readonly calls: readonly FileCall[];
  /** Matches the paths that are refused. */
  readonly path: RegExp;
  readonly code: 'ENOSPC' | 'EIO' | 'EDQUOT';
  /** Share of a refused write's bytes that reach the file all the same. */
  readonly tornShare?: number;
}

export class FaultyFiles implements Files {
  readonly #disk: Files;
  fault: Fault | undefined;
  /** How often calls were refused. */
  refusals = 0;

  constructor(disk: Files) {
    this.#disk = disk;
  }

  /** The process is gone: what it still tries changes nothing. */
  kill(): void {
    this.fault = { calls: ['read', 'write', 'truncate', 'rename', 'remove'], path: /./, code: 'EIO' };
  }

  makeDirectory(directory: string): void {
    this.#disk.makeDirectory(directory);
  }

  list(directory: string): readonly string[] | undefined {
    return this.#disk.list(directory);
  }

  size(path: string): number | undefined {
    return this.#disk.size(path);
  }

  read(path: string, into: Uint8Array, at: number): number {
    this.#refuse('read', path);
    return this.#disk.read(path, into, at);
  }

  async readLater(path: string, into: Uint8Array, at: number): Promise<number> {
    this.#refuse('read', path);
    return this.#disk.readLater(path, into, at);
  }

  write(path: string, parts: readonly Uint8Array[], at: number): void {
    if (this.#isRefused('write', path)) {
      const bytes = Buffer.concat(parts);
      const torn = bytes.subarray(0, Math.floor(bytes.length * (this.fault?.tornShare ?? 0)));
      if (torn.length > 0) this.#disk.write(path, [torn], at);
    }
    this.#refuse('write', path);
    this.#disk.write(path, parts, at);
  }

  truncate(path: string, length: number): void {
    this.#refuse('truncate', path);
    this.#disk.truncate(path, length);
  }

  rename(from: string, to: string): void {
    this.#refuse('rename', to);
    this.#disk.rename(from, to);
  }

  remove(path: string): void {
    this.#refuse('remove', path);
    this.#disk.remove(path);
  }

  datasync(path: string): Promise<void> {
    return this.#disk.datasync(path);
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#disk.syncDirectory(directory);
  }

  release(directory: string): void {
    this.#disk.release(directory);
  }

  #isRefused(call: FileCall, path: string): boolean {
    return this.fault !== undefined && this.fault.calls.includes(call) && this.fault.path.test(path);
  }

  #refuse(call: FileCall, path: string): void {
    if (!this.#isRefused(call, path)) return;
    this.refusals += 1;
    const code = this.fault?.code ?? 'EIO';
    throw Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path });
  }
}
