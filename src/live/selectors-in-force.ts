import type { Result } from '../core/result.ts';
import { collectionPath } from '../kube/api-paths.ts';
import type { Collection } from '../kube/api-paths.ts';
import type { Failure, Kube } from '../kube/client.ts';
import { listAll } from '../kube/list-pages.ts';
import { DEPLOYMENTS, OURS, WEBHOOK_CONFIGURATIONS } from './installed-objects.ts';
import { describeChoice, findSelectors, LABELS_ALONE } from '../manifest/release-selectors.ts';
import type { ReleaseSelector, SelectorsInForce } from '../manifest/release-selectors.ts';

/** The selectors, with sentences on where they are from, where that is not the label alone, and on what is not known. */
export interface SelectorsRead {
  readonly inForce: SelectorsInForce;
  readonly notes: readonly string[];
  /** What is needed to know them; undefined where they are known. */
  readonly needs: string | undefined;
}

/**
 * Returns which pods the installation in the cluster works on: by the configurations of its webhooks, and where one is
 * switched off by the flags of its reconciler.
 */
export async function selectorsInForce(kube: Pick<Kube, 'request'>, signal: AbortSignal): Promise<SelectorsRead> {
  const [configurations, reconcilers] = await Promise.all([
    list(kube, WEBHOOK_CONFIGURATIONS, OURS, signal),
    list(kube, DEPLOYMENTS, `${OURS},app.kubernetes.io/component=reconciler`, signal),
  ]);
  const found = findSelectors([
    ...valuesOf(configurations).map((object) => ({ kind: 'MutatingWebhookConfiguration', object })),
    ...valuesOf(reconcilers).map((object) => ({ kind: 'Deployment', object })),
  ]);
  if (found !== undefined) {
    // Perhaps there is a webhook as well.
    const inForce = configurations.ok ? found : { ...found, selectors: found.selectors.map(byUnknown) };
    return { inForce, notes: notesOn(inForce), needs: undefined };
  }
  if (configurations.ok && reconcilers.ok) {
    const note =
      'autoscrape has neither a webhook nor a reconciler in this cluster: the label autoscrape.io/inject alone is looked at.';
    const selectors = LABELS_ALONE.selectors.map((selector) => ({ ...selector, by: 'nobody' as const }));
    return { inForce: { ...LABELS_ALONE, selectors }, notes: [note], needs: undefined };
  }
  const failure = configurations.ok ? reconcilers : configurations;
  const why = failure.ok ? '' : failure.error.message;
  return {
    inForce: LABELS_ALONE,
    notes: [`Not known whether other selectors are in force than the label autoscrape.io/inject: ${why}`],
    needs: `list on ${configurations.ok ? DEPLOYMENTS.plural : WEBHOOK_CONFIGURATIONS.plural}`,
  };
}

function byUnknown(selector: ReleaseSelector): ReleaseSelector {
  return { ...selector, by: 'unknown' };
}

/** Returns what is not by the labels alone, for each release once: its webhooks share the namespaces among them. */
function notesOn({ selectors }: SelectorsInForce): string[] {
  const notes = selectors.flatMap((selector) => {
    const { from, by, conditions } = selector;
    const choice = describeChoice(selector);
    return [
      ...(choice === undefined ? [] : [`Selectors: ${choice}, by ${from}.`]),
      ...(by === 'reconciler' ? [`The webhook is switched off: ${from} annotates pods once they run.`] : []),
      ...(conditions.length === 0
        ? []
        : [`Not evaluated: the match conditions ${conditions.join(', ')} of ${from}, which only the API server can.`]),
    ];
  });
  return [...new Set(notes)];
}

async function list(
  kube: Pick<Kube, 'request'>,
  collection: Collection,
  labelSelector: string,
  signal: AbortSignal,
): Promise<Result<readonly unknown[], Failure>> {
  const items: unknown[] = [];
  const source = { path: collectionPath(collection, undefined), query: { labelSelector } };
  const listed = await listAll(kube, source, (item) => items.push(item), signal);
  return listed.ok ? { ok: true, value: items } : listed;
}

function valuesOf(read: Result<readonly unknown[], Failure>): readonly unknown[] {
  return read.ok ? read.value : [];
}
