import { objectIn, objectsIn } from '../../core/json.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Result } from '../../core/result.ts';
import type { Rules } from '../../core/rules/rule.ts';
import type { Kube } from '../../kube/client.ts';
import type { ClusterReader, Read } from '../object-cache.ts';
import type { Line } from '../finding.ts';
import type { WebhookConfiguration } from './webhook-configuration.ts';

/** What looking at the installation needs. */
export interface InstallationOptions {
  readonly kube: Pick<Kube, 'request' | 'open' | 'forward'>;
  readonly cluster: ClusterReader;
  /** The rules in force, or why they are not valid. */
  readonly rules: Result<Rules, string>;
  /** Where a pod is to be created as a dry run; any opted-in namespace where it is not opted in, or undefined. */
  readonly namespace: string | undefined;
  /** Unix time in ms. */
  readonly now: number;
}

/** The same, with what was read of the installation. */
export interface Installation extends InstallationOptions {
  readonly ours: WebhookConfiguration;
  /** Where the release is. */
  readonly namespaceOfRelease: string;
  readonly pods: readonly JsonObject[];
  readonly deployments: readonly JsonObject[];
}

/** Returns what was read; nothing where it could not be. */
export function valueOf(read: Read<readonly JsonObject[]>): readonly JsonObject[] {
  return read.ok ? read.value : [];
}

/** Returns the line for what could not be read. */
export function unchecked(title: string, read: Read<unknown>): Line {
  return { state: 'unchecked', title, needs: read.ok ? 'an answer' : read.error };
}

/** Returns the objects of a component of the chart, such as `webhook`. */
export function ofComponent(objects: readonly JsonObject[], component: string): readonly JsonObject[] {
  return objects.filter(
    (object) => objectIn(objectIn(object, 'metadata'), 'labels')['app.kubernetes.io/component'] === component,
  );
}

/** Returns the number of a pod's port by its name. */
export function portOf(pod: JsonObject, name: string): number | undefined {
  const ports = objectsIn(objectIn(pod, 'spec'), 'containers').flatMap((container) => objectsIn(container, 'ports'));
  const port = ports.find((each) => each['name'] === name)?.['containerPort'];
  return typeof port === 'number' ? port : undefined;
}
