import { createCatalogue } from './catalogue.ts';
import type { ImageEntry } from './catalogue.ts';
import { compilePattern } from './pattern.ts';
import type { Pattern } from './pattern.ts';
import type { Conditions, Rule, Rules } from './rule.ts';
import type { RulesFile } from './rules-file.ts';
import { requirements } from './selector.ts';
import { statementOf } from './statement.ts';

/** Returns the rules of a checked file, ready to decide with. */
export function compile(effective: RulesFile): Rules {
  const rules = effective.rules.map(({ name, when, unless, scrape, abstain }): Rule => ({
    name,
    when: compileConditions(when),
    unless: unless && compileConditions(unless),
    port: scrape?.port,
    path: scrape?.path,
    scheme: scrape?.scheme,
    abstain: abstain ?? false,
  }));
  return {
    rules,
    names: rules.map((rule) => rule.name),
    https: effective.https,
    ignoreContainers: effective.ignoreContainers.map(pattern),
    catalogue: createCatalogue(effective.images, compileImage),
    annotationKeys: effective.annotations,
    effective,
  };
}

function compileConditions(when: RulesFile['rules'][number]['when']): Conditions {
  const { podLabels, container, image, portName, portNumber, probePath, argument, env, catalogue, declared } = when;
  return {
    ...(podLabels && { podLabels: requirements(podLabels) }),
    ...(container !== undefined && { container: pattern(container) }),
    ...(image !== undefined && { image: pattern(image) }),
    ...(portName !== undefined && { portName: pattern(portName) }),
    ...(portNumber !== undefined && { portNumber: [portNumber].flat() }),
    ...(probePath !== undefined && { probePath: pattern(probePath) }),
    ...(argument !== undefined && { argument: pattern(argument) }),
    ...(env !== undefined && { env: statementOf(pattern(env)) }),
    ...(catalogue && { catalogue }),
    ...(declared && { declared }),
  };
}

function compileImage(image: RulesFile['images'][number]): ImageEntry {
  return {
    ports: [image.port].flat(),
    path: image.path ?? '/metrics',
    scheme: image.scheme ?? 'http',
    movedBy: image.movedBy ?? [],
    needs: image.needs === undefined ? undefined : statementOf(pattern(image.needs)),
    unless: image.unless === undefined ? undefined : statementOf(pattern(image.unless)),
    declared: image.declared ?? false,
    container: image.container === undefined ? undefined : pattern(image.container),
    beside: image.beside ?? [],
    portName: image.portName === undefined ? undefined : pattern(image.portName),
  };
}

/** The schema has compiled every pattern once, so here it cannot fail. */
function pattern(source: string): Pattern {
  const compiled = compilePattern(source);
  if (typeof compiled === 'string') throw new Error(`a pattern that was valid is not: ${compiled}`);
  return compiled;
}
