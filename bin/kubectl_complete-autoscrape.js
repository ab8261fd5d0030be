#!/usr/bin/env node
// What kubectl starts to complete `kubectl autoscrape …`: it prints what the words behind that can be completed to.
import { fileURLToPath } from 'node:url';

process.argv.splice(1, 1, fileURLToPath(new URL('autoscrape.js', import.meta.url)), '__complete');
await import('./autoscrape.js');
