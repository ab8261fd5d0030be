import { parse } from 'yaml';
import { isObject, objectsIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';

/** A scrape job of the loaded configuration, as YAML; it is parsed where it is needed, because a configuration has megabytes. */
export interface ScrapeJob {
  /** Which is the name of its pool. */
  readonly name: string;
  readonly yaml: string;
}

/** Returns the jobs of a configuration as Prometheus and vmagent print it: a list without indent below `scrape_configs`. */
export function readJobs(configuration: string): readonly ScrapeJob[] {
  const [, list = ''] = /^scrape_configs:\n([^]*)/m.exec(configuration) ?? [];
  // The list ends where the next key of the top level begins.
  const [own = ''] = list.split(/^(?=[a-z])/m);
  return own
    .split(/^(?=- )/m)
    .map((yaml) => ({ name: unquoted(/^(?:- | {2})job_name: (.*)$/m.exec(yaml)?.[1] ?? ''), yaml }))
    .filter(({ name }) => name !== '');
}

/**
 * Returns whether the configuration takes jobs from other files as well: neither Prometheus nor vmagent prints these.
 * https://prometheus.io/docs/prometheus/latest/configuration/configuration/#configuration-file
 */
export function hasOtherFiles(configuration: string): boolean {
  return /^scrape_config_files:\n\s*- /m.test(configuration);
}

function unquoted(value: string): string {
  return value.replace(/^(['"])(.*)\1$/, '$2');
}

/** Returns the label that service discovery makes of an annotation of a pod, or of its Service. */
export function annotationLabel(key: string, of: 'pod' | 'service' = 'pod'): string {
  return `__meta_kubernetes_${of}_annotation_${key.replaceAll(/[^A-Za-z0-9]/g, '_')}`;
}

/** Returns whether the job reads an annotation of pods. */
export function readsAnnotation({ yaml }: ScrapeJob, key: string): boolean {
  const label = annotationLabel(key).replace('_annotation_', '_annotation(?:present)?_');
  return new RegExp(`${label}\\b`).test(yaml);
}

/** YAML takes milliseconds, and each of many pods may need the same job. */
const PARSED = new WeakMap<ScrapeJob, JsonObject>();

/** Returns the job as it was written; an empty object where it is not YAML. */
export function parseJob(job: ScrapeJob): JsonObject {
  const known = PARSED.get(job) ?? readYaml(job);
  PARSED.set(job, known);
  return known;
}

function readYaml({ yaml }: ScrapeJob): JsonObject {
  try {
    const [job]: unknown[] = parse(yaml);
    return isObject(job) ? job : {};
  } catch {
    return {};
  }
}

/** Returns whether the job discovers pods, as far as it says what it discovers. */
export function discoversPods(job: JsonObject): boolean {
  const configs = objectsIn(job, 'kubernetes_sd_configs');
  return configs.length === 0 || configs.some(({ role }) => role === 'pod');
}

/** Returns why a job's service discovery leaves out the namespace, or undefined where it does not. */
export function leavesOut(job: JsonObject, namespace: string): string | undefined {
  const configs = objectsIn(job, 'kubernetes_sd_configs').filter(({ role }) => role === 'pod');
  if (configs.length === 0) return undefined;
  const names = configs.flatMap(({ namespaces }) => (isObject(namespaces) ? listed(namespaces['names']) : []));
  const isEverywhere = configs.some(
    ({ namespaces }) =>
      !isObject(namespaces) || (listed(namespaces['names']).length === 0 && namespaces['own_namespace'] !== true),
  );
  if (isEverywhere || names.includes(namespace)) return undefined;
  return names.length === 0 ? 'its own namespace only' : `the namespaces ${names.join(', ')} only`;
}

function listed(value: unknown): string[] {
  return Array.isArray(value) ? value.map(text) : [];
}
