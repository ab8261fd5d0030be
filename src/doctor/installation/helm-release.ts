import { objectIn, text } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';

/** A release of the chart. */
export interface Release {
  readonly name: string;
  /** The namespace that Helm knows it by, which need not be the one where it runs (value namespaceOverride). */
  readonly namespace: string;
  /** Whether Helm keeps it: what Argo CD, Kustomize or kubectl has applied, Helm can't upgrade. */
  readonly isHelms: boolean;
}

/** Returns the release that an object of the chart belongs to. `place` is where it runs. */
export function releaseOf(object: JsonObject | undefined, place: string): Release {
  const { labels, annotations } = objectIn(object, 'metadata');
  // Helm sets both, since 3.2: https://helm.sh/docs/topics/chart_best_practices/labels/
  const name = text(objectIn({ annotations }, 'annotations')['meta.helm.sh/release-name']);
  const namespace = text(objectIn({ annotations }, 'annotations')['meta.helm.sh/release-namespace']);
  const instance = text(objectIn({ labels }, 'labels')['app.kubernetes.io/instance']);
  return { name: instance || name || 'autoscrape', namespace: namespace || place, isHelms: name !== '' };
}

/** Returns what brings the release's objects as the chart has them, with values to set: a command where Helm keeps it. */
export function upgradeOf({ name, namespace, isHelms }: Release, ...set: readonly string[]): string {
  if (isHelms) {
    const flags = set.map((value) => ` --set ${value}`).join('');
    return `helm upgrade ${name} ./chart -n ${namespace} --reset-then-reuse-values${flags}`;
  }
  const values = set.length === 0 ? '' : ` with ${set.join(', ')}`;
  return `render release ${name} of namespace ${namespace} again${values} and apply it (Helm keeps no such release: Argo CD, Kustomize or kubectl has applied it)`;
}
