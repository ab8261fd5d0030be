import { join } from 'node:path';

// Loaded by `npm test` before anything else. Half of what a test file costs is compiling the same modules once more, TypeScript
// included, and a test that starts the program pays for it again. Node keeps the compiled code here, by the sources' contents:
// https://nodejs.org/api/module.html#module-compile-cache
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '../../node_modules/.cache/node-compile-cache');
