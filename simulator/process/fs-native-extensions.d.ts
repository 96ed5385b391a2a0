// The part of fs-native-extensions that is used here; the package has no types of its own.
declare module 'fs-native-extensions' {
  /**
   * Asks for the lock of a whole open file, which must be writable. The lock belongs to the open
   * file and ends when that is closed, however its process ends.
   * @returns false while another open file has it
   */
  export function tryLock(fd: number): boolean;
}
