import { existsSync, fstatSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { escapeControls, stripControls } from '../core/control-characters.ts';
import { didYouMean } from '../core/did-you-mean.ts';
import { renderNamespaces } from '../explain/by-namespace.ts';
import { examine, examineInFull } from '../explain/examine.ts';
import type { Examined, Found } from '../explain/examine.ts';
import { FAILURES, findingsOf, isFailure } from '../explain/findings.ts';
import type { Finding } from '../explain/findings.ts';
import { renderForGitHub } from '../explain/github.ts';
import { passedOver, passedOverRecord } from '../explain/passed-over.ts';
import { OutputLine } from '../explain/record-schema.ts';
import { explainRecord } from '../explain/record.ts';
import { renderRecord } from '../explain/render-record.ts';
import { relate } from '../explain/related-objects.ts';
import { sarifLog } from '../explain/sarif.ts';
import { renderSummary, summarise } from '../explain/summary.ts';
import { renderReasons, renderTable } from '../explain/table.ts';
import { renderExplanation } from '../explain/text.ts';
import { member } from '../core/json.ts';
import type { Rules } from '../core/rules/parse.ts';
import { readObjectNames } from '../live/object-names.ts';
import type { ObjectName } from '../live/object-names.ts';
import { groupOf } from '../manifest/kinds.ts';
import { withoutOwned } from '../manifest/owners.ts';
import { selectorsOfFlags } from '../manifest/release-selectors.ts';
import type { Workload } from '../manifest/workload.ts';
import { loadRules } from '../rules/load.ts';
import { jsonSchema } from '../rules/json-schema.ts';
import { VERSION } from '../process/version.ts';
import {
  Command,
  contextOption,
  kubeconfigOption,
  namespaceSelectorOption,
  nonEmpty,
  objectSelectorOption,
  Option,
  option,
  requestTimeoutOption,
  several,
} from './options.ts';
import type { OptionsOf } from './options.ts';
import { showProgress } from './progress.ts';
import { readCluster } from './read-cluster.ts';
import { readInput } from './read-input.ts';
import type { Input } from './read-input.ts';
import { examples } from './help.ts';

const flags = new Command('explain')
  .description(
    'Explains for each workload whether its pods would be annotated, how, and why: in files, which needs no cluster, or in a ' +
      'cluster, where it only reads.',
  )
  .argument(
    '[files...]',
    'what -f takes, or objects of the cluster: deploy/shop, pod shop-1; without any, what is piped in',
  )
  .addOption(
    new Option(
      '-f, --filename <file>',
      "YAML or JSON file, folder, 'pattern', several of them with commas between, or - for standard input; repeatable",
    ).argParser(several),
  )
  .addOption(new Option('-R, --recursive', 'also read the folders inside a folder'))
  .addOption(
    new Option(
      '-o, --output <format>',
      'text for one workload, and table for several; wide, name (as kubectl has it), json (one line each), yaml (one document each), github (annotations of GitHub Actions), or sarif (2.1.0)',
    ).choices(['text', 'table', 'wide', 'name', 'json', 'yaml', 'github', 'sarif']),
  )
  .addOption(
    new Option(
      '--fail-on <what>',
      'exit with 1 where a workload would be annotated (annotate), is skipped (skip), has a warning (warning), or is skipped for a reason such as no_candidate; several with commas between',
    ).argParser(failures),
  )
  .addOption(new Option('--schema', 'print the JSON Schema of a line of -o json'))
  .addOption(new Option('-v, --verbose', 'text with each port, and what each rule says about it'))
  .addOption(new Option('--details', 'json and yaml with the rules that do not match each port, and why'))
  .addOption(
    new Option('--only <which>', 'only the workloads that would be annotated, are skipped, or have a warning').choices([
      'annotate',
      'skip',
      'warning',
    ]),
  )
  .addOption(
    option(
      '--rules <file>',
      "rules file; defaults to the shipped rules, and for a cluster's objects to those in force there",
    ).argParser(nonEmpty),
  )
  .addOption(
    new Option(
      '-n, --namespace <name>',
      'namespace of workloads that do not name theirs; in a cluster the namespace to read',
    ).argParser(nonEmpty),
  )
  .addOption(new Option('-A, --all-namespaces', 'read the workloads of every namespace of the cluster'))
  .addOption(
    new Option(
      '-l, --selector <labels>',
      'read the workloads of the cluster with these labels: app=shop,tier!=web',
    ).argParser(nonEmpty),
  )
  .addOption(namespaceSelectorOption)
  .addOption(objectSelectorOption)
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addOption(requestTimeoutOption)
  .addOption(new Option('--mesh', 'decide as in a namespace where Istio injects sidecars'))
  .addHelpText(
    'after',
    examples(
      ['A file, or a folder of them', 'autoscrape explain deployment.yaml k8s/'],
      ['What a Helm chart installs', 'helm template my-release ./chart | autoscrape explain -f -'],
      ['What runs in a cluster', 'autoscrape explain deploy/shop -n web'],
      ['How many pods would become targets, before a namespace is labelled', 'autoscrape explain -A'],
      [
        'In GitHub Actions: annotations of the lines, and a failure where something is probably wrong',
        'autoscrape explain k8s/ -R -o github --fail-on warning',
      ],
      ['Annotations that are probably wrong', 'autoscrape explain pods -A --only warning'],
    ),
  );

/** `autoscrape explain`. */
export const command = flags.action(async (files, options, self) => {
  if (options.schema === true) {
    process.stdout.write(`${JSON.stringify(jsonSchema(OutputLine), undefined, 2)}\n`);
    return undefined;
  }
  const named = files.length === 0 || files.some((file) => existsSync(file)) ? undefined : readObjectNames(files);
  if (named?.ok === false) return self.error(`error: ${stripControls(named.error)}`);
  const given = [...(named === undefined ? files : []), ...(options.filename ?? [])];
  if (
    named !== undefined ||
    wantsCluster(options) ||
    (given.length === 0 && !isPiped(0) && options.namespace !== undefined)
  ) {
    const objects = named?.value ?? [];
    const misuse = given.length > 0 ? 'give files or objects of a cluster, and not both' : misuseOf(objects, options);
    if (misuse !== undefined) return self.error(`error: ${misuse}`);
    const { rules, ...input } = await readCluster(objects, options);
    process.exitCode = explain(input, rules, options);
    return undefined;
  }
  const names = given.length === 0 && isPiped(0) ? ['-'] : given;
  if (names.length === 0) {
    return self.error(
      "error: required option '-f, --filename <file>' not specified: autoscrape explain -f deployment.yaml, " +
        'or for what runs in a cluster autoscrape explain deploy/NAME, -n NAMESPACE, or -A',
    );
  }
  const rules = await loadRules(options.rules);
  const selectors = selectorsOfFlags(options.namespaceSelector, options.objectSelector);
  process.exitCode = explain(await readInput(names, options.recursive === true, selectors), rules, options);
  return undefined;
});

/** Returns whether flags say that objects of a cluster are meant. */
function wantsCluster({ allNamespaces, selector, kubeconfig, context, requestTimeout }: ExplainOptions): boolean {
  return [allNamespaces, selector, kubeconfig, context, requestTimeout].some((given) => given !== undefined);
}

/** Returns what is wrong with the flags for objects of a cluster, as kubectl sees it. */
function misuseOf(
  objects: readonly ObjectName[],
  { allNamespaces, selector, output }: ExplainOptions,
): string | undefined {
  const isNamed = objects.some(({ name }) => name !== undefined);
  if (isNamed && allNamespaces === true) return 'a name is of one namespace: give -n NAMESPACE, not -A';
  if (isNamed && selector !== undefined) return 'give names or a selector, and not both';
  if (output === 'github' || output === 'sarif')
    return `-o ${output} names lines of files, and objects of a cluster have none`;
  return undefined;
}

function failures(text: string): ReadonlySet<string> {
  const names = text.split(',');
  for (const name of names) {
    if (FAILURES.includes(name)) continue;
    throw new InvalidArgumentError(
      `Give annotate, skip, warning, or one of the reasons ${FAILURES.slice(3).join(', ')}${didYouMean(name, FAILURES)}`,
    );
  }
  return new Set(names);
}

/** Returns whether the file descriptor is a pipe, a socket or a file, and neither a terminal nor /dev/null. */
function isPiped(fd: number): boolean {
  const found = fstatSync(fd);
  return found.isFIFO() || found.isFile() || found.isSocket();
}

/** The options of `autoscrape explain`. */
export type ExplainOptions = OptionsOf<typeof flags>;

/**
 * Explains each workload of the input, and returns the exit code: 1 where a part of it couldn't be read, or a workload is
 * what `--fail-on` names, else 0.
 */
function explain(
  { found, others, files, isComplete, isLive, inForce }: Input,
  rules: Rules,
  options: ExplainOptions,
): number {
  const { mesh = false, namespace = '', only, failOn = new Set<string>() } = options;
  const { workloads, owned } = withoutOwned(found.map(({ workload }) => workload));
  const fileOf = new Map(found.map((one) => [one.workload, one.file]));
  const kept = workloads
    .filter((workload) => !isLive || !isPastRevision(workload))
    .map((workload): Found => ({ workload, file: fileOf.get(workload) ?? '' }));
  const surroundings = { rules, related: relate(others, namespace, inForce), mesh, defaultNamespace: namespace };
  // A cluster's others were only read for what they say about workloads.
  const left = passedOver(isLive ? [] : others, owned);
  const isShown = ({ decision, warnings }: Examined): boolean =>
    only === undefined || (only === 'warning' ? warnings.length > 0 : decision.outcome === only);

  const output = options.output ?? (options.verbose === true || kept.length === 1 ? 'text' : 'table');
  const columns = terminalColumns() ?? 100;
  const withFile = files > 1;
  const all: Examined[] = [];
  const findings: Finding[] = [];
  const isStreamed = output === 'text' || output === 'json' || output === 'yaml';
  // Not between the lines of the output.
  const progress = isStreamed && process.stdout.isTTY ? undefined : showProgress('workloads');
  for (const [i, one] of kept.entries()) {
    progress?.show(i, kept.length);
    if (output === 'github' || output === 'sarif') {
      const examined = examineInFull(one, surroundings);
      all.push(examined);
      if (isShown(examined)) findings.push(...findingsOf(examined, failOn));
    } else if (isStreamed) {
      const examined = examineInFull(one, surroundings);
      // The totals need no more: what is shown of 20,000 workloads would not fit into memory together.
      const { workload, file, optIn, decision, pods, warnings } = examined;
      all.push({ workload, file, optIn, decision, pods, warnings });
      if (!isShown(examined)) continue;
      process.stdout.write(
        output === 'text'
          ? `${renderExplanation(examined, rules, { columns, verbose: options.verbose === true, withFile })}\n`
          : renderRecord(output, explainRecord(examined, options.details === true)),
      );
    } else all.push(examine(one, surroundings));
  }
  progress?.end();
  const exitCode = isComplete && !all.some((examined) => isFailure(examined, failOn)) ? 0 : 1;
  if (output === 'github' || output === 'sarif') {
    const lines =
      output === 'github'
        ? findings.map(renderForGitHub)
        : [escapeControls(JSON.stringify(sarifLog(findings, VERSION, isComplete), undefined, 2))];
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    return exitCode;
  }
  const summary = summarise(all, left);
  if (output === 'json' || output === 'yaml') {
    for (const other of left) process.stdout.write(renderRecord(output, passedOverRecord(other)));
    process.stdout.write(renderRecord(output, summary));
    return exitCode;
  }
  const shown = all.filter(isShown);
  if (output === 'name') {
    const printed = new Set(shown.map(({ workload }) => `${kubectlName(workload)}\n`));
    process.stdout.write([...printed].join(''));
    return exitCode;
  }
  if (output !== 'text' && shown.length > 0)
    process.stdout.write(renderTables(shown, output === 'wide', withFile, only === 'warning'));
  if (options.allNamespaces === true && all.length > 0) process.stdout.write(`${renderNamespaces(all)}\n`);
  // No summary where nothing could be read: it would say that there are no workloads.
  if (isComplete || all.length + left.length > 0) process.stdout.write(`${renderSummary(summary, left, columns)}\n`);
  return exitCode;
}

/** Returns whether it is a ReplicaSet without pods: of a Deployment that does not have the label that was asked for. */
function isPastRevision({ kind, object }: Workload): boolean {
  return kind === 'ReplicaSet' && member(member(object, 'spec'), 'replicas') === 0;
}

/** Returns the width of the terminal, undefined where output goes elsewhere. A terminal that knows none says 0 (`docker exec -t`). */
function terminalColumns(): number | undefined {
  const { columns } = process.stdout;
  return columns === 0 ? undefined : columns;
}

/** Returns the table, what its reasons mean, and the warnings where they were asked for or are few. */
function renderTables(shown: readonly Examined[], wide: boolean, withFile: boolean, withWarnings: boolean): string {
  const columns = terminalColumns();
  const warned = shown.filter(({ warnings }) => warnings.length > 0).length;
  const hint =
    warned === 0 || withWarnings
      ? ''
      : `${warned} with a warning: --only warning shows ${warned === 1 ? 'it' : 'them'}, and -v everything.\n\n`;
  const reasons = renderReasons(shown, columns ?? 100);
  return `${renderTable(shown, { columns, wide, withFile, withWarnings })}\n${reasons}${reasons === '' ? '' : '\n'}${hint}`;
}

/** Returns what `kubectl get -o name` prints: `deployment.apps/shop`. */
function kubectlName({ apiVersion, kind, name }: Workload): string {
  const group = groupOf(apiVersion);
  return stripControls(`${kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${name}`);
}
