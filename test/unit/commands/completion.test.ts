// A process of its own: it starts processes, and waits for them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { before, suite, test } from 'node:test';
import { runAutoscrape } from '../../harness/autoscrape/run-autoscrape.ts';

suite('completion', () => {
  const scripts = new Map<string, string>();
  before(async () => {
    for (const shell of ['bash', 'zsh', 'fish'])
      scripts.set(shell, (await runAutoscrape(['completion', shell])).stdout);
  });

  /** Returns what bash offers for the last word. */
  function inBash(...words: readonly string[]): string[] {
    const line = ['autoscrape', ...words].map((word) => `'${word}'`).join(' ');
    const [current = '', previous = 'autoscrape'] = words.toReversed();
    const calls = `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _autoscrape autoscrape '${current}' '${previous}'; echo "\${COMPREPLY[@]}"`;
    const script = `${scripts.get('bash')}\n${calls}`;
    return execFileSync('bash', ['--norc', '-c', script], { encoding: 'utf8' }).trim().split(' ');
  }

  test('bash completes commands, flags, the choices of a flag, and leaves the rest to file names', () => {
    assert.deepEqual(inBash('expl'), ['explain']);
    assert.deepEqual(inBash('explain', '--rec'), ['--recursive']);
    assert.deepEqual(inBash('check', '-o', ''), ['text', 'json']);
    assert.deepEqual(inBash('completion', ''), ['bash', 'zsh', 'fish']);
    assert.deepEqual(inBash('help', 'ver'), ['verify', 'version']);
    assert.deepEqual(inBash('explain', '-f', ''), ['']);
    assert.deepEqual(inBash('explain', ''), ['']);
  });

  test('zsh and fish get every command and its flags, with quotes as each reads them', () => {
    const [zsh = '', fish = ''] = [scripts.get('zsh'), scripts.get('fish')];
    assert.match(zsh, /^#compdef autoscrape\n/);
    assert.match(zsh, /namespace; defaults to the context'\\''s/);
    assert.match(fish, /namespace; defaults to the context\\'s'/);
    assert.equal(fish.match(/^complete .* -n __fish_use_subcommand /gm)?.length, zsh.match(/^ {4}[\w-]+\)$/gm)?.length);
  });

  test('another shell is a usage error', async () => {
    const { code, stderr } = await runAutoscrape(['completion', 'tcsh']);
    assert.equal(code, 2);
    assert.match(stderr, /Allowed choices are bash, zsh, fish/);
  });
});
