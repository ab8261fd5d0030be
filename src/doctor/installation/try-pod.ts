import { nameOf } from '../../core/metadata.ts';
import { decide } from '../../core/decide.ts';
import { objectIn, textEntries } from '../../core/json.ts';
import { OPT_IN_LABEL } from '../../core/inject-label.ts';
import { judgeNamespace, labelChanges } from '../../core/pod-selectors.ts';
import type { PodSelector } from '../../core/pod-selectors.ts';
import { describeChoice } from '../../manifest/release-selectors.ts';
import { createAsDryRun, DRY_RUN_IMAGE, dryRunPod, findProblem } from '../../live/dry-run-pod.ts';
import { COLLECTIONS } from '../object-cache.ts';
import { finding, quoted } from '../finding.ts';
import type { Line } from '../finding.ts';
import { valueOf } from './our-objects.ts';
import type { Installation } from './our-objects.ts';

/** In ms: the webhook's own limit is 3 s. */
const DRY_RUN_TIMEOUT_MS = 10_000;

/** Returns whether a pod that is created as a dry run comes back annotated. */
export async function tryPod(place: Installation): Promise<Line> {
  const { kube, ours, rules } = place;
  const title = 'a pod created as a dry run';
  if (!rules.ok) return { state: 'unreached', title };
  const found = await selected(place);
  if (found === undefined) {
    const [first] = ours.selectors;
    const selectors = (first && describeChoice(first)) ?? `namespaces with the label ${OPT_IN_LABEL}=enabled`;
    return { state: 'unchecked', title, needs: `a namespace that the webhook selects: ${selectors}` };
  }
  const { namespace, labels } = found;
  if (labels === undefined)
    return { state: 'unchecked', title, needs: `labels that the webhook's objectSelector selects` };
  const pod = dryRunPod({ labels, image: DRY_RUN_IMAGE });
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
    `autoscrape verify -n ${namespace}${Object.keys(labels).length === 0 ? '' : ` --labels ${joined(labels)}`} says what to look at.`,
  );
}

interface Place {
  readonly namespace: string;
  /** What the pod needs for the webhook to be called; undefined where no labels do. */
  readonly labels: Readonly<Record<string, string>> | undefined;
}

/** Returns the namespace where the webhook's selectors select it, or any that they do; undefined where there is none. */
async function selected({ cluster, namespace, ours }: Installation): Promise<Place | undefined> {
  const all = await cluster.list(COLLECTIONS.namespaces);
  const found = valueOf(all)
    .filter((object) => objectIn(object, 'status')['phase'] !== 'Terminating')
    .flatMap((object): Place[] => {
      const labels = new Map(textEntries(objectIn(object, 'metadata')['labels']));
      const judged = judgeNamespace(ours.selectors, nameOf(object), labels);
      return judged?.optIn === 'yes' ? [{ namespace: nameOf(object), labels: labelsFor(judged.selector) }] : [];
    });
  return found.find((place) => place.namespace === namespace) ?? found[0];
}

/** A label that would have to go is one that the pod can't do without. */
function labelsFor({ pod }: PodSelector): Place['labels'] {
  const changes = labelChanges(pod, new Map([[PORT_LABEL, 'metrics']]));
  if (changes === undefined || changes.get(PORT_LABEL) !== undefined || [...changes.values()].includes(undefined))
    return undefined;
  return Object.fromEntries([...changes].map(([key, value]) => [key, value ?? '']));
}

const PORT_LABEL = 'autoscrape.io/port';

function joined(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map((pair) => pair.join('='))
    .join(',');
}
