/*
 * Loads the rules files that take the most memory of all that are accepted, one after the other, each while the one
 * before is in use, as at a reload. Then it decides on the pods that need the most memory, with rules that make it easy.
 * Run it with the image's flags: a heap that is too small ends the process. Prints the rules of each file, and the heap
 * in MB.
 *
 *   node --max-semi-space-size=2 --expose-gc --max-old-space-size=48 test/harness/stress/large-patterns.ts
 */
import { decide } from '../../../src/core/decide.ts';
import { MAX_INSTRUCTIONS, MAX_RULES_FILE } from '../../../src/core/limits.ts';
import { programSize } from '../../../src/core/rules/program-size.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';

/** Bytes of heap that an idle webhook uses (tools/node-flags.ts). */
const IDLE = 20 * 2 ** 20;

const WORDS = Array.from({ length: 64 }, (_, i) => `${String.fromCodePoint(97 + (i % 26))}${i}`);

/** Patterns that begin with a number of their own, so that none is compiled already. */
const KINDS: Readonly<Record<string, (rule: number) => string>> = {
  literals: (rule) => `${rule}${'x'.repeat(1000)}`,
  repetitions: (rule) => `${rule}.{0,1000}`,
  'repeated groups': (rule) => `${rule}(((x{10})){30})`,
  'nested groups': (rule) => `${rule}${'('.repeat(200)}x${')'.repeat(200)}{30}`,
  'Unicode classes': (rule) => String.raw`${rule}\pL\pN`,
  'long prefixes': (rule) => `${rule}(${WORDS.join('|')})${'x'.repeat(600)}.*`,
  'many prefixes': (rule) => `${rule}(?:${'(?:a|b)'.repeat(6)})${'x'.repeat(16)}.*`,
  'named groups': (rule) => `${rule}${Array.from({ length: 80 }, (_, i) => `(?P<a${i}>x)`).join('')}`,
};

/** Returns a file with so many rules of the kind, or fewer where it would be too long. */
function rulesFile(patternOf: (rule: number) => string, count: number): string {
  let text = 'rules:\n';
  for (let rule = 1000; rule < 1000 + count; rule++) {
    const line = `  - { name: r${rule}, when: { argument: '${patternOf(rule)}' } }\n`;
    if (text.length + line.length > MAX_RULES_FILE) break;
    text += line;
  }
  return text;
}

const shipped = readShipped();
const used: { rules: Rules } = { rules: defaultRules() };
globalThis.gc?.();
const idle = Array.from({ length: Math.max(IDLE - process.memoryUsage().heapUsed, 0) / 1024 }, () =>
  Array(125).fill(0),
);

for (const [kind, patternOf] of Object.entries(KINDS)) {
  const count = Math.floor(MAX_INSTRUCTIONS / (programSize(patternOf(1000)) + programSize('r1000')));
  const parsed = parseRules(rulesFile(patternOf, count), shipped);
  if (!parsed.ok) throw new Error(`${kind}: ${parsed.error[0]?.message}`);
  used.rules = parsed.value.rules;
  console.log(
    `${kind}: ${parsed.value.rules.effective.rules.length} rules, ${Math.round(process.memoryUsage().heapUsed / 1e6)} MB`,
  );
}
// A pod whose arguments lead the automaton of one pattern to a new state with almost each character, for each pattern.
const count = 6;
const parsed = parseRules(
  rulesFile((rule) => `--${rule}.*a.{14}`, count),
  shipped,
);
if (!parsed.ok) throw new Error(parsed.error[0]?.message);
used.rules = parsed.value.rules;
let seed = 1;
const letters = (length: number) =>
  Array.from({ length }, () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed & 1024 ? 'a' : 'b';
  }).join('');
for (let rule = 1000; rule < 1000 + count; rule++) {
  const args = Array.from({ length: 250 }, () => `--${rule}${letters(4000)}`);
  const decision = decide({ metadata: {}, spec: { containers: [{ name: 'app', args }] } }, used.rules);
  if (decision.outcome !== 'skip' || decision.reason !== 'too_complex')
    throw new Error(`rule ${rule}: ${JSON.stringify(decision)}`);
}
console.log(`skipped ${count} pods, ${Math.round(process.memoryUsage().heapUsed / 1e6)} MB`);
console.log(`loaded ${Object.keys(KINDS).length} files, beside ${idle.length} KB of other objects`);
