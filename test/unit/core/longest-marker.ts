import type { Rules } from '../../../src/core/rules/rule.ts';
import { rulesOf } from './rules/rules-of.ts';

/** Returns the rules with the longest keys and the longest name, so that markers are as long as they can be. */
export function longestRules(more: object = {}): Rules {
  return rulesOf(
    JSON.stringify({
      endpoints: 'all',
      https: true,
      ...more,
      annotations: { scrape: longestKey('s'), port: longestKey('p'), path: longestKey('a'), scheme: longestKey('e') },
      rules: [
        {
          name: 'r'.repeat(63),
          when: { argument: '--p=(?P<path>.*)', portName: 'm.*' },
          scrape: { path: '${path}', scheme: 'https' },
        },
      ],
    }),
  );
}

function longestKey(letter: string): string {
  return `${`${'a'.repeat(63)}.`.repeat(3)}${'a'.repeat(61)}/${letter.repeat(61)}`;
}
