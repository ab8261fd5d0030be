// The pretest guard, in JavaScript because an old Node cannot read TypeScript. npm finds the pinned Node first where it is
// installed; `npm ci --omit=optional` leaves it out.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  console.error(
    `autoscrape needs Node 24.12 or newer and this is ${process.version}: run \`npm ci\`, then \`npm test\`.`,
  );
  process.exit(1);
}
