#!/usr/bin/env node
// The command `autoscrape` of a checkout and of an installed package. In JavaScript, because an old Node can't read
// TypeScript: it takes the Node that `npm ci` has installed, or says in one sentence that it needs a newer one.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const { engines } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
const needed = engines.node.replace('>=', '');
const [major, minor] = process.versions.node.split('.').map(Number);
const [neededMajor, neededMinor] = needed.split('.').map(Number);

// oxlint-disable-next-line no-restricted-properties -- it starts the program, and npm tells it nothing in another way
const { npm_lifecycle_event: script, INIT_CWD: folder } = process.env;

if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) {
  // `npm run` goes to the package's folder; paths are relative to where the user is.
  if (script === 'autoscrape' && folder) process.chdir(folder);
  // Node reads no TypeScript below node_modules: an installed package has the bundle.
  const source = new URL('src/main.ts', root);
  await import(existsSync(source) ? source.href : new URL('dist/main.js', root).href);
} else {
  const pinned = fileURLToPath(new URL('node_modules/.bin/node', root));
  if (existsSync(pinned)) runWith(pinned);
  else {
    console.error(
      `autoscrape needs Node ${needed} or newer, and this is ${process.version}: install it from https://nodejs.org.`,
    );
    process.exit(1);
  }
}

/** Runs this file with another Node, and ends as that ends. */
function runWith(node) {
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both, and twice would be in a hurry.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
