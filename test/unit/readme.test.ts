// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { readTranscripts, timeless } from './transcript.ts';

const AUTOSCRAPE = 'npm run -s autoscrape --';

// The demo's own test looks after its transcript.
const transcripts = readTranscripts().filter(({ command }) => command.includes(AUTOSCRAPE));

test('the README has transcripts', () => assert.ok(transcripts.length > 0));

for (const { command, output } of transcripts) {
  test(`the README shows what is printed by: ${command}`, async () => {
    assert.equal(timeless(output), timeless(await run(command)), 'copy it from the terminal again');
  });
}

/** Returns what a shell prints, on either stream. npm is left out: it takes long and only finds this very Node.js. */
function run(command: string): Promise<string> {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
  const cwd = fileURLToPath(new URL('../../', import.meta.url));
  const direct = `${command.replace(AUTOSCRAPE, 'node src/main.ts')} 2>&1`;
  return new Promise((resolve) => {
    execFile('sh', ['-c', direct], { cwd, env }, (_, stdout) => resolve(stdout));
  });
}
