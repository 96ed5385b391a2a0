// Plants a bug in a text, if it still applies.
import type { Bug } from './bug.js';

/**
 * The text with the bug in it.
 * @throws Error when the bug's text does not occur exactly once: its place was changed, so the bug
 * must be reviewed.
 */
export function plant(
  text: string,
  { id, file, find, replace }: Pick<Bug, 'id' | 'file' | 'find' | 'replace'>,
): string {
  const count = find === '' ? 0 : text.split(find).length - 1;
  if (count !== 1) throw new Error(`Bug ${id}: its text occurs ${count} times in ${file}, not once. Review the bug.`);
  const at = text.indexOf(find);
  return text.slice(0, at) + replace + text.slice(at + find.length);
}
