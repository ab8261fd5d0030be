import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isObject, own } from '../src/core/json.ts';
import { parseManifest } from '../src/manifest/parse.ts';
import { readWorkloads } from '../src/manifest/workload.ts';
import type { Workload } from '../src/manifest/workload.ts';

/** The port of the sample app, as its manifest has it. */
export const SAMPLE_PORT = 8000;

/** The manifests in examples/, with the target that each one's pods must become, or the reason why they become none. */
export const EXAMPLES = [
  { file: 'sample.yaml', what: 'a port called metrics', want: `:${SAMPLE_PORT}/metrics` },
  { file: 'shop.yaml', what: 'two ports and a sidecar', want: ':9464/metrics' },
  { file: 'orders.yaml', what: 'a Spring Boot app', want: ':8080/actuator/prometheus' },
  { file: 'database.yaml', what: 'Postgres and an exporter', want: ':9187/metrics' },
  { file: 'backup.yaml', what: 'half annotated by hand', want: ':9100/backup/metrics' },
  { file: 'website.yaml', what: 'pages, and no metrics', want: 'no_candidate' },
  { file: 'billing.yaml', what: 'opted out by a label', want: 'opted_out' },
] as const;

/** An object of a manifest, with its pod as the controller creates it. */
export interface Example extends Workload {
  readonly pod: object;
}

/** Returns the workload of a file in examples/, in the namespace. */
export async function readExample(file: string, namespace: string): Promise<Example> {
  const path = fileURLToPath(new URL(`../examples/${file}`, import.meta.url));
  const [workload] = readWorkloads(parseManifest(await readFile(path, 'utf8')).documents).workloads;
  if (workload === undefined || !isObject(workload.pod)) throw new Error(`there is no workload in ${path}`);
  const metadata = own(workload.pod, 'metadata');
  const generateName = `${workload.name}-`;
  return {
    ...workload,
    pod: { ...workload.pod, metadata: { ...(isObject(metadata) ? metadata : {}), generateName, namespace } },
  };
}

/** Returns a copy of the pod whose containers declare the port `to` where the original declares `from`. */
export function withPort(pod: object, from: number, to: number): object {
  const copy: unknown = JSON.parse(JSON.stringify(pod), (key, value: unknown) =>
    key === 'containerPort' && value === from ? to : value,
  );
  return isObject(copy) ? copy : pod;
}

/** Returns a pod's annotations. */
export function annotationsOf(pod: unknown): Readonly<Record<string, string>> {
  const metadata = isObject(pod) ? own(pod, 'metadata') : undefined;
  const annotations = isObject(metadata) ? own(metadata, 'annotations') : undefined;
  const entries = isObject(annotations) ? Object.entries(annotations) : [];
  return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]));
}

/** Returns the admitted pod without the annotations that the original doesn't have: all that autoscrape may add. */
export function withoutAdded(admitted: unknown, original: object): unknown {
  const metadata = isObject(admitted) ? own(admitted, 'metadata') : undefined;
  if (!isObject(admitted) || !isObject(metadata)) return admitted;
  const { annotations: _, ...others } = metadata;
  const before = annotationsOf(original);
  const kept = Object.entries(annotationsOf(admitted)).filter(([key]) => Object.hasOwn(before, key));
  const isEmpty = kept.length === 0 && Object.keys(before).length === 0;
  return { ...admitted, metadata: isEmpty ? others : { ...others, annotations: Object.fromEntries(kept) } };
}
