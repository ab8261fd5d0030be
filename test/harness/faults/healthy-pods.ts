import { podSpec } from '../installation/kind-pods.ts';
import { HEALTHY } from './fault-pods.ts';

/** Returns a Deployment of so many pods with metrics, in the namespace in which all is well. */
export function healthyPods(name: string, replicas: number): unknown {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: HEALTHY },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        // A Go program: a hundred of Node's would take the machine a minute to start.
        spec: { ...podSpec({ kind: [1, 1], portName: 'http-metrics', container: { volumeMounts: [] } }), volumes: [] },
      },
    },
  };
}
