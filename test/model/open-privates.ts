// Makes the private members of the cores readable in this group of tests, so that states are
// compared whole. Nothing else about the cores changes.
import type { Plugin } from 'vitest/config';

export function openPrivates(): Plugin {
  return {
    name: 'open-privates',
    enforce: 'pre',
    transform: (code, id) =>
      /\/simulator\/[a-z-]+\/core\//.test(id) ? { code: code.replaceAll(/#(?=[a-z]\w*)/g, '_'), map: null } : undefined,
  };
}
