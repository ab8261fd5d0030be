import assert from 'node:assert/strict';
import test from 'node:test';
import { runAutoscrape } from '../harness/autoscrape/run-autoscrape.ts';
import { readTranscripts, timeless } from './transcript.ts';

// What may stand before the program: its standard input, by echo.
const COMMAND = /^(?:echo '(?<input>[^']*)' \| )?npm run -s autoscrape -- (?<args>[-\w./ ]+)$/;

// The demo's own test looks after its transcript.
const transcripts = readTranscripts().filter(({ command }) => command.includes('npm run -s autoscrape'));

test('the README has transcripts', () => assert.ok(transcripts.length > 0));

for (const { command, output } of transcripts) {
  test(`the README shows what is printed by: ${command}`, async () => {
    const { input, args } = COMMAND.exec(command)?.groups ?? {};
    assert.ok(args !== undefined, 'this test cannot run the command');
    const { stdout, stderr } = await runAutoscrape(args.split(' '), input === undefined ? '' : `${input}\n`);
    assert.equal(timeless(output), timeless(stdout + stderr), 'copy it from the terminal again');
  });
}
