import { isDeepStrictEqual } from 'node:util';
import { at, list } from '../chart/render.ts';
import type { ControlPlane } from '../control-plane/control-plane.ts';

/**
 * Stands in for the admissions enforcer of AKS: under its own field manager it adds two expressions to each webhook's
 * `namespaceSelector`, where they are missing (https://learn.microsoft.com/azure/aks/faq).
 */
export async function enforceAsAks(cluster: ControlPlane): Promise<void> {
  const read = await cluster.kubectl(['get', 'mutatingwebhookconfiguration', 'autoscrape', '-o', 'json']);
  const webhooks = list(JSON.parse(read), 'webhooks').map((webhook) => {
    const has = list(webhook, 'namespaceSelector', 'matchExpressions');
    const added = ENFORCED.filter((wanted) => !has.some((requirement) => isDeepStrictEqual(requirement, wanted)));
    return { name: at(webhook, 'name'), namespaceSelector: { matchExpressions: [...has, ...added] } };
  });
  const patch = JSON.stringify({ webhooks });
  const flags = ['--type=strategic', '--field-manager=admissionsenforcer', `--patch=${patch}`];
  await cluster.kubectl(['patch', 'mutatingwebhookconfiguration', 'autoscrape', ...flags]);
}

const ENFORCED = [
  { key: 'control-plane', operator: 'NotIn', values: ['true'] },
  { key: 'kubernetes.azure.com/managedby', operator: 'NotIn', values: ['aks'] },
];
