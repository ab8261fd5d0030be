import { hasSetting } from './flag-or-variable.ts';
import { ownContainers } from './evaluate-rules.ts';
import type { Pod } from '../pod/pod.ts';
import type { Rules } from './rule.ts';

/** What an image of the catalogue serves once a setting is there. */
export interface NeededSetting {
  readonly container: string;
  /**
   * An argument (`--metrics-enabled=true`) or a variable (`KC_METRICS_ENABLED=true`); `…` is any
   * value. Several that are missing are joined by " and ".
   */
  readonly setting: string;
  readonly port: number;
  readonly path: string;
}

/**
 * Returns for each of the pod's containers whose image serves metrics only with a setting that is
 * not there, the setting, and where the metrics then are.
 */
export function neededSettings(pod: Pod, rules: Rules): NeededSetting[] {
  return ownContainers([...pod.containers, ...pod.sidecars], rules).flatMap((container) => {
    for (const { needs, unless, guarded, ports, path } of rules.catalogue.find(container)) {
      const [first] = ports;
      const missing = needs.filter((setting) => !hasSetting(container, setting));
      if (missing.length === 0 || first === undefined || guarded) continue;
      if (unless !== undefined && hasSetting(container, unless)) continue;
      const settings = missing.map(({ pattern }) => exampleOf(pattern.source));
      // A bare word is the role of the image, not something to switch on.
      if (!settings.every((setting) => /^-|=/.test(setting))) continue;
      const declared = ports.find((port) => container.candidates.some(({ number }) => number === port));
      return [{ container: container.name, setting: settings.join(' and '), port: declared ?? first, path }];
    }
    return [];
  });
}

/**
 * Returns the shortest string that the pattern obviously matches: the first of all alternatives,
 * without what is optional, and `…` for any value.
 */
export function exampleOf(pattern: string): string {
  let at = 0;
  const alternatives = (): string => {
    let first: string | undefined;
    let text = '';
    for (; at < pattern.length && pattern[at] !== ')';) {
      if (pattern[at] === '|') {
        first ??= text;
        text = '';
        at += 1;
      } else text += quantified(atom());
    }
    return first ?? text;
  };
  const atom = (): string => {
    const char = pattern[at] ?? '';
    at += 1;
    if (char === '\\') return escaped(pattern[at++] ?? '');
    if (char === '.') return '…';
    if (char === '[') {
      const end = pattern.indexOf(']', at + 1);
      const members = pattern.slice(at, end);
      at = end + 1;
      return /^\^|-/.test(members) ? '…' : members.slice(0, 1);
    }
    if (char !== '(') return char;
    const flags = /^\?(?:P?<\w+>|[a-z]*(?<colon>:)?)/.exec(pattern.slice(at));
    at += flags?.[0].length ?? 0;
    const text = alternatives();
    at += 1;
    return text;
  };
  const quantified = (text: string): string => {
    const quantifier = /^(?:[?*]|\+|\{\d+(?:,\d*)?\})\??/.exec(pattern.slice(at))?.[0] ?? '';
    at += quantifier.length;
    return quantifier.startsWith('?') || quantifier.startsWith('*') ? '' : text;
  };
  return alternatives();
}

function escaped(char: string): string {
  return char === 'd' || char === 'w' ? '…' : char === 's' ? ' ' : char;
}
