/**
 * Node's module node:http, without what an `import` of it would load: to import a built-in module reads all of its exports, and
 * one of this one's (`WebSocket`) loads a whole HTTP client, undici: 6 MiB and 20 ms at the start of each process.
 */
export const { createServer } = process.getBuiltinModule('node:http');
