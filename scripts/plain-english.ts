import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// `node scripts/plain-english.ts [PATH…]`: finds phrases that docs/CONTRIBUTING.md ("Style") asks us not to write, wherever a person reads:
// code, comments, test titles, docs, chart. Prints FILE:LINE:COLUMN with what to write instead, and exits with 1.

/** What not to write, and what to write instead. */
const PHRASES: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [/\banew\b/, 'again'],
  [/\bmend(s|ed|ing)?\b/, 'fix, repair'],
  [/\bin vain\b/, 'which fails'],
  [/\bbe it\b/, 'whether … or …'],
  [/\bmay not\b/, 'must not, or can not'],
  [/\b(is|are|was|were) told\b/, 'is reported, is logged'],
  [/\bthe own\b/, 'its own'],
  [/\bwhoever\b/, 'anyone who'],
  [/\b(nobody|no one) shall\b/, 'so that nobody …'],
  [/\ba text\b/, 'a string'],
  [/\bwhat became of\b/, 'the result of'],
  [/\bnow and then\b/, 'from time to time'],
  [/\bunder our eyes\b/, 'while we watched'],
  [/\bas such\b|\band such\b/, 'name the things'],
  [/\b(rules? file|file|manifest)s? is (right|wrong)\b/, 'is valid, is invalid'],
  [/\bof [a-z' ]{1,40}\bthere (is|are)\b/, 'subject first: "X has …", "there is … of X"'],
  [/\b(takes?|taken|taking|took) back\b/, 'uninject'],
  [/\bput (it )?right\b/, 'fix'],
];

/** Files that nobody reads, that others wrote, or that quote the phrases. */
const LEFT_OUT = /^(LICENSE|package-lock\.json|scripts\/plain-english\.ts)$|\.(sum|mod|json|svg)$/;

const root = join(import.meta.dirname, '..');
const files = execFileSync('git', ['ls-files', '-z', '--', ...process.argv.slice(2)], { cwd: root, encoding: 'utf8' })
  .split('\0')
  .filter((file) => file !== '' && !LEFT_OUT.test(file));

let found = 0;
for (const file of files) {
  let isExample = false;
  for (const [index, line] of readFileSync(join(root, file), 'utf8').split('\n').entries()) {
    // The table of before-and-after pairs shows what not to write.
    if (file === 'docs/CONTRIBUTING.md') isExample = line.startsWith('| ');
    if (isExample) continue;
    for (const [phrase, instead] of PHRASES) {
      const match = new RegExp(phrase, 'i').exec(line);
      if (match === null) continue;
      found += 1;
      process.stdout.write(`${file}:${index + 1}:${match.index + 1}: "${match[0]}": write ${instead}\n`);
    }
  }
}
if (found > 0) {
  process.stdout.write(`${found} phrases that are not plain English: see "Style" in docs/CONTRIBUTING.md\n`);
  process.exitCode = 1;
}
