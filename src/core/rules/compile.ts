import { createCatalogue } from './catalogue.ts';
import type { ImageEntry } from './catalogue.ts';
import { signsOf } from './needed-signs.ts';
import { compilePattern } from './re2-pattern.ts';
import type { Pattern } from './re2-pattern.ts';
import type { Conditions, Rule, Rules } from './rule.ts';
import type { RulesFile } from './schema.ts';
import { requirements } from './selector.ts';
import { fragmentsOf, settingOf } from './flag-or-variable.ts';
import type { Setting } from './flag-or-variable.ts';
import { parseVersionRange } from './version-range.ts';
import type { VersionRange } from './version-range.ts';

/** Returns the compiled rules of a valid file. */
export function compile(effective: RulesFile): Rules {
  const compiled = effective.rules.map((rule) => ({
    ...rule,
    when: compileConditions(rule.when, rule.exclude === 'guarded'),
  }));
  const { signs, needed } = signsOf(compiled.map(({ when }) => when));
  const rules = compiled.map(
    ({ name, when, unless, scrape, exclude, proxy, continue: continues, confirm }, at): Rule => ({
      name,
      when,
      signs: needed[at] ?? 0,
      unless: unless && compileConditions(unless, false),
      port: scrape?.port,
      path: scrape?.path,
      scheme: scrape?.scheme,
      exclude: exclude === true ? 'switched_off' : exclude,
      proxy: proxy ?? false,
      continues: continues ?? false,
      confirm: confirm ?? false,
    }),
  );
  return {
    rules,
    names: rules.map((rule) => rule.name),
    signs,
    https: effective.https,
    endpoints: effective.endpoints,
    ignoreContainers: effective.ignoreContainers.map(pattern),
    pathFrom: effective.pathFrom.map((source) => settingOf(pattern(source))),
    catalogue: createCatalogue(effective.images, compileImage),
    askNever: effective.ask.never,
    annotationKeys: effective.annotations,
    dialects: effective.dialects,
    effective,
  };
}

function compileConditions(when: RulesFile['rules'][number]['when'], fromSecrets: boolean): Conditions {
  const {
    podLabels,
    container,
    image,
    portName,
    portNumber,
    probePath,
    argument,
    env,
    setting,
    otherPortName,
    framework,
    stated,
    catalogue,
    declared,
  } = when;
  return {
    namespace: optionalPattern(when.namespace),
    podLabels: podLabels && requirements(podLabels),
    container: optionalPattern(container),
    image: optionalPattern(image),
    portName: optionalPattern(portName),
    otherPortName: optionalPattern(otherPortName),
    portNumber: portNumber === undefined ? undefined : [portNumber].flat(),
    probePath: optionalPattern(probePath),
    argument: optionalPattern(argument),
    argumentFragments: argument === undefined ? undefined : fragmentsOf(pattern(argument).required ?? []),
    env: optionalSetting(env),
    setting: optionalSetting(setting),
    fromSecrets,
    framework,
    stated: stated ?? false,
    catalogue: catalogue ?? false,
    declared: declared ?? false,
  };
}

function compileImage(image: RulesFile['images'][number]): ImageEntry {
  return {
    ports: [image.port].flat(),
    path: image.path ?? '/metrics',
    scheme: image.scheme ?? 'http',
    portFrom: image.portFrom ?? [],
    pathFrom: image.pathFrom ?? [],
    basePathFrom: image.basePathFrom ?? [],
    needs: [image.needs ?? []].flat().map((source) => settingOf(pattern(source))),
    unless: optionalSetting(image.unless),
    https: optionalSetting(image.https),
    none: noneOf(image),
    guarded: image.guarded === true,
    declared: image.declared ?? false,
    container: optionalPattern(image.container),
    versions: versionsOf(image.versions),
    otherPorts: image.otherPorts ?? [],
    portName: optionalPattern(image.portName),
  };
}

function noneOf({ unreachable, guarded, servedElsewhere }: RulesFile['images'][number]): ImageEntry['none'] {
  const reasons = [
    { reason: 'unreachable', source: unreachable },
    { reason: 'guarded', source: guarded === true ? undefined : guarded },
    { reason: 'served_elsewhere', source: servedElsewhere },
  ] as const;
  return reasons.flatMap(({ reason, source }) => {
    const when = optionalSetting(source);
    return when === undefined ? [] : [{ reason, when }];
  });
}

/** Returns the range of versions. The schema has read it before, so it is valid. */
function versionsOf(source: string | undefined): VersionRange | undefined {
  const range = source === undefined ? undefined : parseVersionRange(source);
  return range?.ok === true ? range.value : undefined;
}

/** Returns the compiled pattern. The schema has compiled it before, so it cannot fail. */
function pattern(source: string): Pattern {
  const compiled = compilePattern(source);
  if (!compiled.ok) throw new Error(`a checked pattern is invalid: ${compiled.error}`);
  return compiled.value;
}

function optionalPattern(source: string | undefined): Pattern | undefined {
  return source === undefined ? undefined : pattern(source);
}

function optionalSetting(source: string | undefined): Setting | undefined {
  return source === undefined ? undefined : settingOf(pattern(source));
}
