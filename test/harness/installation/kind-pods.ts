import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { component } from '../build/components.ts';
import { scratchImage } from '../build/scratch-image.ts';
import type { Cluster } from './cluster.ts';
import { IMAGE } from './image.ts';

/** The image of a program that is instrumented with Prometheus' own client library. */
export const GO_IMAGE = 'localhost/instrumented:test';

/** Puts that image where pods find it. */
export async function loadGoImage(cluster: Pick<Cluster, 'directory' | 'loadImage'>): Promise<void> {
  const executable = await component('instrumented');
  const archive = join(cluster.directory, 'instrumented.tar');
  await cluster.loadImage(await scratchImage(archive, { name: GO_IMAGE, executable }));
}

/** Where all of them serve. */
export const PORT = 8080;

/**
 * A kind of test/harness/asking/kind-server.ts, or how many series the Go program has and how
 * long their labels are: few and long, since gathering many takes long on a busy machine.
 */
export type Kind = string | readonly [number, number];

/** Returns the servers' program and further files, as the pods of a namespace mount them. */
export function kinds(of: string, files: object = {}): unknown {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kinds', namespace: of },
    data: { 'kind-server.mts': PROGRAM, ...files },
  };
}

const PROGRAM = readFileSync(join(import.meta.dirname, '../asking/kind-server.ts'), 'utf8');

/** One container of such a pod. */
export interface KindContainer {
  readonly kind: Kind;
  /** Further arguments. */
  readonly further?: readonly string[];
  /** Of its only port; empty for none. */
  readonly portName?: string;
  /** Fields of the container that are to be different. */
  readonly container?: object;
}

/** As much of a pod's specification as others are made of. */
export interface PodSpec {
  readonly containers: readonly object[];
  readonly volumes: readonly object[];
  readonly terminationGracePeriodSeconds: number;
}

/** Returns the specification of a pod that serves what its kind says at {@link PORT}. */
export function podSpec({ kind, further = [], portName = 'http', container = {} }: KindContainer): PodSpec {
  const program =
    typeof kind !== 'string'
      ? { image: GO_IMAGE, args: kind.map(String) }
      : { image: IMAGE, command: ['/nodejs/bin/node', '/kinds/kind-server.mts', kind, ...further] };
  return {
    containers: [
      {
        name: 'app',
        ...program,
        imagePullPolicy: 'IfNotPresent',
        ports: [portName === '' ? { containerPort: PORT } : { name: portName, containerPort: PORT }],
        env: [{ name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }],
        volumeMounts: [{ name: 'kinds', mountPath: '/kinds' }],
        ...container,
      },
    ],
    volumes: [{ name: 'kinds', configMap: { name: 'kinds' } }],
    // The first process of a container takes no signal that it does not ask for.
    terminationGracePeriodSeconds: 1,
  };
}
