import { decide } from '../../core/decide.ts';
import { objectIn, textEntries } from '../../core/json.ts';
import { OPT_IN_LABEL } from '../../core/opt-in.ts';
import { satisfies } from '../../core/rules/selector.ts';
import { requirementsOf } from '../../explain/monitor-targets.ts';
import { createAsDryRun, DRY_RUN_IMAGE, dryRunPod, findProblem } from '../../live/dry-run-pod.ts';
import { COLLECTIONS } from '../cluster.ts';
import { finding, quoted } from '../finding.ts';
import type { Line } from '../finding.ts';
import { nameOf, valueOf } from './our-objects.ts';
import type { Installation } from './our-objects.ts';

/** In ms: the webhook's own limit is 3 s. */
const DRY_RUN_TIMEOUT_MS = 10_000;

/** Returns whether a pod that is created as a dry run comes back annotated. */
export async function tryPod(place: Installation): Promise<Line> {
  const { kube, ours, rules } = place;
  const title = 'a pod created as a dry run';
  if (!rules.ok) return { state: 'unreached', title };
  const namespace = await selected(place);
  if (namespace === undefined)
    return {
      state: 'unchecked',
      title,
      needs: `a namespace that the webhook selects, such as by the label ${OPT_IN_LABEL}=enabled`,
    };
  const pod = dryRunPod({ labels: ours.podLabels, image: DRY_RUN_IMAGE });
  const decision = decide(pod, rules.value, { namespace });
  if (decision.outcome !== 'annotate') return { state: 'unchecked', title, needs: 'rules that annotate it' };
  const created = await createAsDryRun(kube, namespace, pod, DRY_RUN_TIMEOUT_MS);
  if (!created.ok) {
    const { status, message } = created.error;
    const isForbidden = status === 403 && message.includes('cannot create resource');
    return {
      state: 'unchecked',
      title,
      needs: isForbidden ? `create on pods in namespace ${namespace}` : quoted(message),
    };
  }
  const problem = findProblem(created.value, decision.annotations);
  if (problem === undefined) return { state: 'ok', title: `${title} in namespace ${namespace} comes back annotated` };
  const [first = ''] = problem.split('\n');
  return finding(
    'webhook-not-called',
    'pods are not annotated as they are created',
    `${title} in namespace ${namespace}: ${quoted(first)}`,
    `autoscrape verify -n ${namespace} says what to look at.`,
  );
}

/** Returns the namespace where the webhook's selectors select it, or any that they do. */
async function selected({ cluster, namespace, ours }: Installation): Promise<string | undefined> {
  const all = await cluster.list(COLLECTIONS.namespaces);
  const found = valueOf(all)
    .filter((object) => objectIn(object, 'status')['phase'] !== 'Terminating')
    .filter((object) => {
      const labels = new Map(textEntries(objectIn(object, 'metadata')['labels']));
      return ours.namespaceSelectors.some((selector) => satisfies(labels, requirementsOf(selector)));
    })
    .map(nameOf);
  return namespace !== undefined && found.includes(namespace) ? namespace : found[0];
}
