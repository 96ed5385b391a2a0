// A text that stands for everything an object holds: two objects with one text behave alike. The
// search merges states by it, so it leaves nothing out: private members are readable in this group
// of tests (see `open-privates.ts`).

/**
 * Writes a whole graph of objects as one text. Functions are left out: they hold no state. Plain
 * data is written wherever it stands, since it is never changed in place; anything else once.
 */
export function fingerprint(whole: unknown): string {
  const seen = new Map<object, number>();
  const parts: string[] = [];
  const write = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      parts.push(typeof value === 'function' ? 'f' : String(value), ';');
      return;
    }
    if (!isPlain(value)) {
      const known = seen.get(value);
      if (known !== undefined) {
        parts.push('^', String(known), ';');
        return;
      }
      seen.set(value, seen.size);
    }
    if (value instanceof Uint8Array) parts.push('b', Buffer.from(value).toString('hex'), ';');
    else if (value instanceof Map) {
      parts.push('m{');
      for (const [key, entry] of value) {
        write(key);
        write(entry);
      }
      parts.push('}');
    } else if (Array.isArray(value) || value instanceof Set) {
      parts.push(Array.isArray(value) ? '[' : 's[');
      for (const entry of value) write(entry);
      parts.push(']');
    } else {
      parts.push('{');
      for (const [key, entry] of Object.entries(value)) {
        if (typeof entry === 'function' || entry === undefined) continue;
        parts.push(key, ':');
        write(entry);
      }
      parts.push('}');
    }
  };
  write(whole);
  return parts.join('');
}

function isPlain(value: object): boolean {
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
