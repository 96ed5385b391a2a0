// The end of what is followed.

/** @throws Error when there is none; whatever following throws */
export async function lastOf<T>(items: AsyncIterable<T>): Promise<T> {
  let last: T | undefined;
  for await (last of items);
  if (last === undefined) throw new Error('There was nothing to follow.');
  return last;
}
