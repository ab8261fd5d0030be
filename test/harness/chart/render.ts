import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { isObject } from '../../../src/core/json.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { LabelRequirement, LabelSelector } from '../../../src/core/rules/selector.ts';
import { command, runCommand } from '../../../tools/command.ts';
import { component } from '../build/components.ts';

/** The chart's folder. */
export const CHART = join(import.meta.dirname, '../../../chart');

/** Both Helms that the chart is for. */
export const HELMS = ['helm', 'helm-3'] as const;
export type Helm = (typeof HELMS)[number];

/** One object that the chart renders. */
export interface Manifest {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly object: JsonObject;
}

/** Returns the values files of chart/ci, one for each branch of the templates: file by name. */
export async function ciFiles(): Promise<ReadonlyMap<string, string>> {
  const files = (await readdir(join(CHART, 'ci'))).filter((file) => file.endsWith('.yaml')).toSorted();
  return new Map(files.map((file) => [basename(file, '-values.yaml'), join(CHART, 'ci', file)]));
}

/** Returns what `helm template` makes of the chart with the arguments given; throws with Helm's words where it refuses. */
export async function render(
  args: readonly string[],
  helm: Helm = 'helm',
  release = 'autoscrape',
): Promise<Manifest[]> {
  const text = await command(await component(helm), ['template', release, CHART, '-n', 'autoscrape', ...args]);
  return parseAllDocuments(text).flatMap((document): Manifest[] => {
    if (document.errors.length > 0) throw new Error(`not YAML: ${String(document.errors[0])}\n${text}`);
    const object: unknown = document.toJS();
    if (object === null) return [];
    if (!isObject(object)) throw new Error(`no object: ${JSON.stringify(object)}`);
    return [
      {
        kind: String(at(object, 'kind')),
        name: String(at(object, 'metadata', 'name')),
        namespace: textOf(at(object, 'metadata', 'namespace')),
        object,
      },
    ];
  });
}

/** Returns what `helm install` prints in the end. Helm 4's: the other one wants a cluster for it. */
export async function notes(args: readonly string[]): Promise<string> {
  const dryRun = ['install', 'autoscrape', CHART, '-n', 'autoscrape', '--dry-run=client'];
  const text = await command(await component('helm'), [...dryRun, ...args]);
  return text.slice(text.lastIndexOf('\nNOTES:\n'));
}

/** Returns what Helm says when it refuses; empty when it doesn't. */
export async function refusal(args: readonly string[], helm: Helm = 'helm', release = 'autoscrape'): Promise<string> {
  const result = await runCommand(await component(helm), ['template', release, CHART, '-n', 'autoscrape', ...args]);
  return result.code === 0 ? '' : result.stderr;
}

/** Returns what stands at a path of field names and list indices; undefined where the path ends before. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((found, step) => {
    if (Array.isArray(found)) return typeof step === 'number' ? found[step] : undefined;
    return isObject(found) && Object.hasOwn(found, step) ? found[step] : undefined;
  }, value);
}

/** Returns a list that stands at a path; empty where there is none. */
export function list(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** Returns the one object of a kind (and name); throws where there are more or fewer. */
export function one(manifests: readonly Manifest[], kind: string, name?: string): JsonObject {
  const found = manifests.filter((manifest) => manifest.kind === kind && (name ?? manifest.name) === manifest.name);
  const [manifest] = found;
  if (manifest === undefined || found.length > 1) throw new Error(`${found.length} objects ${kind} ${name ?? ''}`);
  return manifest.object;
}

/** Returns a LabelSelector of the chart's; throws where it has an operator that Kubernetes doesn't know. */
export function labelSelector(selector: unknown): LabelSelector {
  const matchLabels = Object.fromEntries(
    Object.entries(at(selector, 'matchLabels') ?? {}).map(([key, value]) => [key, String(value)]),
  );
  const matchExpressions = list(selector, 'matchExpressions').map((requirement): LabelRequirement => {
    const operator = at(requirement, 'operator');
    if (operator !== 'In' && operator !== 'NotIn' && operator !== 'Exists' && operator !== 'DoesNotExist')
      throw new Error(`no operator of a label selector: ${String(operator)}`);
    return { key: String(at(requirement, 'key')), operator, values: list(requirement, 'values').map(String) };
  });
  return { matchLabels, matchExpressions };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
