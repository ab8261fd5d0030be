import { finding } from '../finding.ts';
import type { Line } from '../finding.ts';

/** What an endpoint of the webhook's Service is. */
export interface WebhookEndpoint {
  readonly isReady: boolean;
  /** Empty where it is not said. */
  readonly node: string;
}

/** Returns whether there are endpoints to call, on more than one node. */
export function checkEndpoints(endpoints: readonly WebhookEndpoint[], namespace: string): Line {
  const ready = endpoints.filter(({ isReady }) => isReady);
  const nodes = new Set(ready.map(({ node }) => node));
  if (ready.length === 0)
    return finding(
      'webhook-not-ready',
      'no pod of the webhook is ready',
      `Its Service has ${endpoints.length === 0 ? 'no endpoint' : `${endpoints.length} endpoints, none of them ready`}: pods are created without annotations.`,
      `kubectl get deployment,pods -n ${namespace} -l app.kubernetes.io/component=webhook`,
    );
  const title = `${ready.length} pod${ready.length === 1 ? '' : 's'} of the webhook ready`;
  if (nodes.size === 1)
    return finding(
      'webhook-one-node',
      `${title}, on one node`,
      'While that node is away, pods are created without annotations; the reconciler annotates them later.',
      ready.length === 1
        ? 'Give the webhook a second replica: webhook.replicas=2'
        : 'Give the cluster a second node; on one node there is nothing to do.',
    );
  return { state: 'ok', title: `${title}, on ${nodes.size} nodes` };
}
