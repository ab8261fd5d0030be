import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { installDebianPackages } from '../../tools/debian.ts';
import { runAutoscrape } from '../harness/autoscrape/run-autoscrape.ts';
import { temporaryFolder } from '../harness/autoscrape/serving.ts';

// Whether a completion works, only the shell itself can tell. bash is everywhere, so test/unit has it.

/** What a shell offers for the last word of each line. */
const OFFERS: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['autoscrape expl', ['explain']],
  ['autoscrape explain --rec', ['--recursive']],
  ['autoscrape check -o ', ['json', 'text']],
  ['autoscrape explain --namespace=x --onl', ['--only']],
  ['autoscrape completion ', ['bash', 'fish', 'zsh']],
  ['autoscrape help ver', ['verify', 'version']],
  ['autoscrape explain ./pack', ['./package-lock.json', './package.json']],
];

/** A zsh whose Tab adds what is offered to the file $OFFERED, in place of the line. */
const ZSHRC = `
autoload -U compinit
compinit -u -D
PS1='> '
offer() { zle complete-word; BUFFER=; print -r DONE }
zle -N offer
bindkey '^I' offer
compadd() {
  if [[ " $* " == *" -"[OAD]" "* ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -A hits "$@"
  (( $#hits )) && print -rl -- $hits >> $OFFERED
  builtin compadd "$@"
}
`;

/** Types each argument into a zsh with a terminal of its own, and Tab after it. */
const TYPE = `
zmodload zsh/zpty
zpty shell zsh -i
for line in "$@"; do
  print -r -- "line" >> $OFFERED
  zpty -w -n shell "$line"$'\\t'
  zpty -r -m shell out '*DONE*'
done
zpty -d shell
`;

suite('completion by the shells themselves', { timeout: 300_000 }, () => {
  before(() => installDebianPackages(['zsh', 'fish']));

  test('fish offers commands, flags, the choices of a flag, and files', async (t) => {
    const script = join(await temporaryFolder(t), 'autoscrape.fish');
    await writeFile(script, (await runAutoscrape(['completion', 'fish'])).stdout);
    for (const [line, words] of OFFERS) {
      const shown = execFileSync('fish', ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', script, line], {
        encoding: 'utf8',
      });
      const offered = shown.split('\n').map((word) => word.split('\t')[0] ?? '');
      assert.deepEqual(offered.filter((word) => word !== '').toSorted(), words, line);
    }
  });

  for (const way of ['sourced', 'found in $fpath']) {
    test(`zsh offers commands, flags, the choices of a flag, and files, with the script ${way}`, async (t) => {
      const folder = await temporaryFolder(t);
      const functions = join(folder, 'functions');
      await mkdir(functions);
      const script = join(way === 'sourced' ? folder : functions, '_autoscrape');
      await writeFile(script, (await runAutoscrape(['completion', 'zsh'])).stdout);
      const sourced = way === 'sourced' ? `source ${script}\n` : '';
      await writeFile(join(folder, '.zshrc'), `fpath=(${functions} $fpath)\n${ZSHRC}${sourced}`);
      const offers = join(folder, 'offered');
      execFileSync('zsh', ['-f', '-c', TYPE, 'zsh', ...OFFERS.map(([line]) => line)], {
        env: { PATH: process.env['PATH'], HOME: folder, ZDOTDIR: folder, OFFERED: offers, TERM: 'dumb' },
        timeout: 60_000,
      });
      const offered = (await readFile(offers, 'utf8')).split(/^line\n/m).slice(1);
      for (const [index, [line, words]] of OFFERS.entries()) {
        const found = (offered[index] ?? '').trim().split('\n');
        // For a path zsh adds what follows the folder that stands there already.
        const folderTyped = /[^ ]*\/(?=[^/]*$)/.exec(line)?.[0] ?? '';
        const whole = found.map((word) => folderTyped + word);
        assert.deepEqual(whole.toSorted(), words, line);
      }
    });
  }
});
