import { readFile } from 'node:fs/promises';
import { stripControls } from '../core/control-characters.ts';
import { diagnoseCluster } from '../doctor/diagnose-cluster.ts';
import { readScraperPlace } from '../doctor/scraper/find-scrapers.ts';
import { checkInstallation } from '../doctor/installation/installation.ts';
import { diagnosisRecord, renderDiagnosis } from '../doctor/render.ts';
import type { Detail } from '../doctor/render.ts';
import { readTargets } from '../doctor/pod/select-pods.ts';
import type { DoctorTarget } from '../doctor/pod/select-pods.ts';
import { openCluster } from './open-cluster.ts';
import { readErrorMessage } from '../process/file-error.ts';
import { UserError } from '../process/user-error.ts';
import { loadRules } from '../rules/load.ts';
import {
  Command,
  contextOption,
  integer,
  kubeconfigOption,
  nonEmpty,
  Option,
  option,
  requestTimeoutOption,
} from './options.ts';
import type { OptionsOf } from './options.ts';
import { showProgress } from './progress.ts';
import { examples } from './help.ts';

const flags = new Command('doctor')
  .description(
    'Says why the metrics of pods are not in Prometheus: of the pods and workloads that are named, or of all of a namespace. ' +
      'It looks at the pod, its endpoint, the scraper and the series, in this order, and stops at the first break. Changes nothing.',
  )
  .argument(
    '[targets...]',
    'pods or workloads: pod/x, deploy/x, sts/x, rollout/x …; without any, all pods of the namespace',
  )
  .addOption(new Option('-n, --namespace <name>', "namespace; defaults to the context's").argParser(nonEmpty))
  .addOption(new Option('-A, --all-namespaces', 'look at the pods of every namespace'))
  .addOption(
    new Option('-l, --selector <labels>', 'look at the pods with these labels: app=shop,tier!=web').argParser(nonEmpty),
  )
  .addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'))
  .addOption(new Option('--short', 'only findings, versions and the answer, to paste into a chat'))
  .addOption(
    new Option('--fail-on <level>', 'exit with 1 where there is a cross, or already where there is a warning')
      .choices(['cross', 'warning'])
      .default('cross'),
  )
  .addOption(
    new Option('--ask', 'also ask the ports of pods for which no rule finds an endpoint, as the reconciler does'),
  )
  .addOption(
    new Option('--ask-at-most <pods>', 'pods whose endpoint is asked through the API server, the broken ones first')
      .argParser(integer(0, 100_000))
      .default(50),
  )
  .addOption(
    new Option(
      '--prometheus <where>',
      'Prometheus: a URL, or svc/NAMESPACE/NAME:PORT; defaults to the Services with its well-known labels',
    ).argParser(nonEmpty),
  )
  .addOption(
    new Option(
      '--prometheus-token-file <file>',
      'file with the bearer token that is sent to the URL of --prometheus, and nowhere else',
    ).argParser(nonEmpty),
  )
  .addOption(
    option('--rules <file>', 'rules file; defaults to the rules that are in force in the cluster').argParser(nonEmpty),
  )
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addOption(requestTimeoutOption)
  .addHelpText(
    'after',
    `
Rights: it needs list on pods (get for a pod by its name). With get on namespaces, deployments, statefulsets, daemonsets and
pods/proxy, list on services, configmaps and networkpolicies, and where Prometheus is list on pods and get on services/proxy
and pods/proxy, it looks at more; with the Prometheus Operator list on its objects, in a mesh list on its policies. What it
must not read it says it did not check.
Which pods are selected it reads by list on mutatingwebhookconfigurations and deployments.
The installation needs list on those, validatingadmissionpolicies and their bindings, namespaces,
endpointslices, get on leases and the path /metrics, create on pods (nothing is stored),
pods/portforward and subjectaccessreviews.`,
  )
  .addHelpText(
    'after',
    examples(
      ['Why has the Deployment no metrics?', 'autoscrape doctor deploy/shop -n web'],
      ['Is everything of a namespace scraped?', 'autoscrape doctor -n web'],
      ['For a chat or an issue', 'autoscrape doctor -A --short'],
      [
        'With a Prometheus that is not found by its labels',
        'autoscrape doctor pod/shop-1 --prometheus svc/monitoring/prom:9090',
      ],
    ),
  );

/** `autoscrape doctor`. */
export const command = flags.action(async (words, options, self) => {
  const targets = readTargets(words);
  if (!targets.ok) return self.error(`error: ${stripControls(targets.error)}`);
  const misuse = misuseOf(targets.value, options);
  if (misuse !== undefined) return self.error(`error: ${misuse}`);
  process.exitCode = await doctor(targets.value, options);
  return undefined;
});

/** The options of `autoscrape doctor`. */
export type DoctorOptions = OptionsOf<typeof flags>;

/** Returns what is wrong with the flags, as kubectl sees it. */
function misuseOf(
  targets: readonly DoctorTarget[],
  { allNamespaces, selector, prometheus, prometheusTokenFile }: DoctorOptions,
): string | undefined {
  const isNamed = targets.some(({ name }) => name !== undefined);
  if (isNamed && allNamespaces === true) return 'a name is of one namespace: give -n NAMESPACE, not -A';
  if (isNamed && selector !== undefined) return 'give names or a selector, and not both';
  if (prometheus !== undefined && readScraperPlace(prometheus) === undefined)
    return '--prometheus takes a URL, such as http://localhost:9090, or svc/NAMESPACE/NAME:PORT';
  if (prometheusTokenFile !== undefined && (prometheus === undefined || prometheus.startsWith('svc/')))
    return '--prometheus-token-file needs --prometheus with a URL: the API server does not pass a token on';
  return undefined;
}

/**
 * Prints what is found about the pods. Returns the exit code: 1 where there is a finding of the level to fail on, or a
 * target is not there. Throws a UserError where no pod can be read.
 */
async function doctor(targets: readonly DoctorTarget[], options: DoctorOptions): Promise<number> {
  const given = options.rules === undefined ? undefined : await loadRules(options.rules);
  const kube = await openCluster(options);
  const namespace = options.allNamespaces === true ? undefined : (options.namespace ?? kube.namespace);
  const progress = showProgress('pods looked at');
  try {
    const found = await diagnoseCluster({
      kube,
      targets,
      namespace,
      selector: options.selector,
      rules: given,
      prometheus: options.prometheus === undefined ? undefined : readScraperPlace(options.prometheus),
      prometheusToken: await readToken(options.prometheusTokenFile),
      asksForEndpoints: options.ask === true,
      askAtMost: options.askAtMost,
      installation: checkInstallation,
      onProgress: (done, of) => progress.show(done, of),
      onNote(sentence) {
        progress.end();
        process.stderr.write(`${stripControls(sentence)}\n`);
      },
      now: Date.now,
      // A signal ends the process at once: nothing has to be finished.
      signal: new AbortController().signal,
    });
    progress.end();
    if (!found.ok) throw new UserError(stripControls(found.error));
    const { diagnosis, isComplete } = found.value;
    if (diagnosis.reports.length > 0 || isComplete)
      process.stdout.write(
        options.output === 'json'
          ? `${JSON.stringify(diagnosisRecord(diagnosis))}\n`
          : renderDiagnosis(diagnosis, detailOf(targets, options)),
      );
    const lines = [...diagnosis.sections, ...diagnosis.reports].flatMap((each) => each.lines);
    const fails = options.failOn === 'warning' ? ['cross', 'warning'] : ['cross'];
    return isComplete && !lines.some(({ state }) => fails.includes(state)) ? 0 : 1;
  } finally {
    await kube.close();
  }
}

async function readToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new UserError(readErrorMessage(file, error));
  }
}

function detailOf(targets: readonly DoctorTarget[], { short }: DoctorOptions): Detail {
  if (short === true) return 'short';
  return targets.length > 0 ? 'full' : 'brief';
}
