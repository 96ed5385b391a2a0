// Refuses a too old Node.js before anything else fails with a less clear message.

/** The oldest Node.js that the pinned packages support: major, minor. */
const NODE_OLDEST = [20, 19];

/** Throws when this Node.js is too old. */
export function requireNodeVersion() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = NODE_OLDEST;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new Error(
    `Node.js ${NODE_OLDEST.join('.')} or newer is needed, and this is ${process.versions.node}. ` +
      'Install a newer one, or run the command with it through npx: npx -y -p node@24 node scripts/run.mjs <command>',
  );
}
