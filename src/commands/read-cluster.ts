import { stripControls } from '../core/control-characters.ts';
import type { Rules } from '../core/rules/parse.ts';
import type { SelectorText } from '../core/rules/selector-text.ts';
import { namespaceProblems } from '../explain/namespaces.ts';
import { openCluster } from './open-cluster.ts';
import type { ConnectOptions } from '../kube/client.ts';
import type { ObjectName } from '../live/object-names.ts';
import { readObjects } from '../live/read-objects.ts';
import type { Selection } from '../live/selection.ts';
import { rulesInForce } from '../live/rules-in-force.ts';
import { selectorsInForce } from '../live/selectors-in-force.ts';
import type { Document } from '../manifest/parse.ts';
import { selectorsOfFlags } from '../manifest/release-selectors.ts';
import { readWorkloads } from '../manifest/workload.ts';
import { UserError } from '../process/user-error.ts';
import { loadRules } from '../rules/load.ts';
import type { Input } from './read-input.ts';

// Needs list on what creates pods, and for everything that explain says get on namespaces and list on services,
// servicemonitors, podmonitors, configmaps, deployments and mutatingwebhookconfigurations.

/** The options of a command that reads objects of a cluster. */
export interface ClusterOptions extends ConnectOptions {
  readonly namespace?: string | undefined;
  readonly allNamespaces?: true | undefined;
  readonly selector?: string | undefined;
  readonly rules?: string | undefined;
  readonly namespaceSelector?: SelectorText | undefined;
  readonly objectSelector?: SelectorText | undefined;
}

/** What was read of a cluster. */
export interface ClusterInput extends Input {
  /** The rules of the given file, else those in force. */
  readonly rules: Rules;
}

/**
 * Returns the workloads of a cluster. What can't be read is reported on stderr, and the rest is read. Throws a UserError
 * where nothing can be read.
 */
export async function readCluster(objects: readonly ObjectName[], options: ClusterOptions): Promise<ClusterInput> {
  const given = options.rules === undefined ? undefined : await loadRules(options.rules);
  const kube = await openCluster(options);
  const namespace = options.allNamespaces === true ? undefined : (options.namespace ?? kube.namespace);
  // A signal ends the process at once: nothing has to be finished.
  const { signal } = new AbortController();
  try {
    const selection = { targets: objects, namespace, selector: options.selector };
    const read = await readObjects(kube, selection, signal);
    if (!read.ok) throw new UserError(stripControls(read.error));
    let rules = given;
    if (rules === undefined) {
      const inForce = await rulesInForce(kube, signal);
      if (!inForce.ok)
        throw new UserError(
          inForce.error
            .split('\n')
            .map((line) => stripControls(line))
            .join('\n'),
        );
      ({ rules } = inForce.value);
      say(inForce.value.from);
    }
    const { selected, related, problems, notes } = read.value;
    const { workloads } = readWorkloads(asDocuments(selected));
    const { others } = readWorkloads(asDocuments(related));
    let inForce = selectorsOfFlags(options.namespaceSelector, options.objectSelector);
    if (inForce === undefined) {
      const selectors = await selectorsInForce(kube, signal);
      for (const note of selectors.notes) say(note);
      ({ inForce } = selectors);
    }
    for (const note of notes) say(note);
    for (const { name, problem } of namespaceProblems(others, inForce.selectors)) say(`Namespace ${name}: ${problem}`);
    for (const problem of problems) say(`autoscrape: ${problem}`);
    if (workloads.length === 0 && problems.length === 0) say(`autoscrape: ${nothingIn(selection)}`);
    return {
      found: workloads.map((workload) => ({ workload, file: '' })),
      others,
      files: 0,
      isComplete: problems.length === 0 && workloads.length > 0,
      isLive: true,
      inForce,
      rules,
    };
  } finally {
    await kube.close();
  }
}

function nothingIn({ targets, namespace, selector }: Selection): string {
  const what =
    targets.length === 0 ? 'nothing that creates pods' : `no ${targets.map(({ kind }) => kind.kind).join(', ')}`;
  const labelled = selector === undefined ? '' : ` with the labels ${selector}`;
  const where = namespace === undefined ? 'the cluster' : `namespace ${namespace}`;
  return `${what}${labelled} in ${where}`;
}

/** Returns objects as documents without a line: they are in no file. */
function asDocuments(objects: readonly unknown[]): Document[] {
  return objects.map((value) => ({ value, line: 0 }));
}

function say(sentence: string): void {
  process.stderr.write(`${stripControls(sentence)}\n`);
}
