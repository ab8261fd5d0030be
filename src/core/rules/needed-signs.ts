import type { Container } from '../pod/pod.ts';
import type { Pattern } from './re2-pattern.ts';
import type { Conditions } from './rule.ts';
import { fragmentsOf } from './flag-or-variable.ts';
import type { Setting } from './flag-or-variable.ts';
import { spend } from '../step-budget.ts';

/*
 * Most rules fail in most containers, and many of them for the same reason: no argument contains `met`, or no
 * probe has a path with `act`. Each such sign is looked for once in a container, and a rule is
 * evaluated only where the signs that it needs are there: a decision takes a fifth less CPU.
 */

/** Something that a container must have where a condition holds. */
export interface Sign {
  /** What it looks for: equal for equal signs. */
  readonly key: string;
  readonly isIn: (container: Container) => boolean;
}

/** A container, and which signs it has, as far as they were looked for: a bit for each. */
export interface SearchedContainer {
  readonly container: Container;
  present: number;
  absent: number;
}

/** Returns the container before any sign was looked for. */
export function startSearch(container: Container): SearchedContainer {
  return { container, present: 0, absent: 0 };
}

/** The signs of one file's rules: one for each bit of a number. */
const MAX_SIGNS = 31;

/**
 * Returns the signs that most of the rules need, at most {@link MAX_SIGNS}, and for each rule, given by its conditions, the bits of
 * those that it needs. The signs that are looked for first have the lowest bits.
 */
export function signsOf(rules: readonly Conditions[]): {
  readonly signs: readonly Sign[];
  readonly needed: readonly number[];
} {
  const ofRules = rules.map(signsOfConditions);
  const byKey = Map.groupBy(ofRules.flat(), ({ key }) => key);
  const common = [...byKey.values()].toSorted((a, b) => b.length - a.length).slice(0, MAX_SIGNS);
  const signs = common.flatMap(([sign]) => sign ?? []);
  const bits = new Map(signs.map(({ key }, at) => [key, 1 << at]));
  return { signs, needed: ofRules.map((own) => own.reduce((all, { key }) => all | (bits.get(key) ?? 0), 0)) };
}

/** Returns whether the container has all signs of the bits `needed`. */
export function hasSigns(searched: SearchedContainer, needed: number, signs: readonly Sign[]): boolean {
  if ((needed & searched.absent) !== 0) return false;
  for (let open = needed & ~searched.present; open !== 0; open &= open - 1) {
    const bit = open & -open;
    if (signs[31 - Math.clz32(bit)]?.isIn(searched.container) === false) {
      searched.absent |= bit;
      return false;
    }
    searched.present |= bit;
  }
  return true;
}

/** Returns the signs that the conditions need: cheap ones, of conditions that are dear to evaluate. */
function signsOfConditions(when: Conditions): readonly Sign[] {
  const signs = [
    when.framework && FRAMEWORK,
    when.probePath && containing('probePath', partsOf(when.probePath), ({ probes }) => probes.map(({ path }) => path)),
    when.image && containing('image', partsOf(when.image), ({ repository }) => [repository]),
    when.container && containing('container', partsOf(when.container), ({ name }) => [name]),
    argumentSign(when.argumentFragments),
    when.env && variableSign(when.env),
  ];
  return signs.filter((sign) => sign !== undefined);
}

const FRAMEWORK: Sign = { key: 'framework', isIn: (container) => container.mayNameFramework() };

/** Returns short strings of which every match contains one; undefined where nothing is certain. */
function partsOf({ required, prefixes }: Pattern): readonly string[] | undefined {
  const parts = required ?? prefixes;
  return parts && fragmentsOf(parts);
}

function containing(
  what: string,
  parts: readonly string[] | undefined,
  texts: (container: Container) => readonly string[],
): Sign | undefined {
  if (parts === undefined) return undefined;
  return {
    key: `${what} ${parts.join(' ')}`,
    isIn: (container) =>
      texts(container).some(
        (text) => spend(container.work, 1 + (text.length >> 5)) && parts.some((part) => text.includes(part)),
      ),
  };
}

function argumentSign(fragments: readonly string[] | undefined): Sign | undefined {
  if (fragments === undefined) return undefined;
  return { key: `argument ${fragments.join(' ')}`, isIn: (container) => fragments.some(container.hasArgumentWith) };
}

function variableSign({ names, initials, nameParts, fragments }: Setting): Sign | undefined {
  const parts = fragments ?? nameParts;
  if (names === undefined && parts === undefined) return undefined;
  return {
    key: `variable ${names === undefined ? '' : initials} ${parts?.join(' ') ?? ''}`,
    isIn: (container) =>
      (names === undefined || container.hasInitial(initials)) &&
      (parts === undefined || parts.some(container.hasNameWith)),
  };
}
