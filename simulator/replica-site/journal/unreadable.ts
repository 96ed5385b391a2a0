// Tells a part of the disk that can't be read from other failures: what it held is damaged, the
// rest is not.

/** What the work answers; undefined if the disk refused to read. */
export function unlessUnreadable<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EIO') return undefined;
    throw error;
  }
}

/** The same for work on another thread. */
export async function unlessUnreadableLater<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    return unlessUnreadable<Result>(() => {
      throw error;
    });
  }
}
