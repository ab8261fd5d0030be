import type { Result } from '../core/result.ts';
import type { Rules } from '../core/rules/rule.ts';
import type { Kube } from '../kube/client.ts';
import { podProxy } from '../kube/pod-proxy.ts';
import { rulesInForce } from '../live/rules-in-force.ts';
import type { Selection } from '../live/selection.ts';
import { selectorsInForce } from '../live/selectors-in-force.ts';
import { VERSION } from '../process/version.ts';
import { defaultRules } from '../rules/shipped.ts';
import { createClusterReader } from './object-cache.ts';
import type { Named, PodReport, Section } from './finding.ts';
import { findScrapers, givenScraper } from './scraper/find-scrapers.ts';
import type { ScraperPlace } from './scraper/find-scrapers.ts';
import type { InstallationOptions } from './installation/our-objects.ts';
import { readPods } from './pod/read-pods.ts';
import { readScrapers } from './scraper/read-scraper.ts';
import type { Diagnosis } from './render.ts';
import { scrapersSection } from './scraper/scrapers-section.ts';
import type { DoctorTarget } from './pod/select-pods.ts';
import { diagnosePods } from './diagnose-pods.ts';

/** What a diagnosis needs. */
export interface DiagnoseOptions extends Selection<DoctorTarget> {
  readonly kube: Pick<Kube, 'request' | 'open' | 'forward' | 'server'>;
  /** Undefined means those in force. */
  readonly rules: Rules | undefined;
  /** Undefined means those with well-known labels. */
  readonly prometheus: ScraperPlace | undefined;
  /** The bearer token for a Prometheus that is given as a URL. */
  readonly prometheusToken: string | undefined;
  /** Whether the ports of pods are asked for which no rule finds an endpoint. */
  readonly asksForEndpoints: boolean;
  /** Most pods to ask. */
  readonly askAtMost: number;
  /** Looks at the installation, where it matters. */
  readonly installation: (options: InstallationOptions) => Promise<Section>;
  readonly onProgress: (done: number, of: number) => void;
  /** Called with a sentence on what is used, or is not there. */
  readonly onNote: (sentence: string) => void;
  /** Returns Unix time in ms. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** What was found. */
export interface Diagnosed {
  readonly diagnosis: Diagnosis;
  /** Whether all targets are there. */
  readonly isComplete: boolean;
}

/** Returns what is found about the pods and their surroundings, or a sentence where no pod can be read. */
export async function diagnoseCluster(options: DiagnoseOptions): Promise<Result<Diagnosed, string>> {
  const { kube, targets, namespace, signal, onNote } = options;
  const read = await readPods(kube, options, signal);
  if (!read.ok) return read;
  const { pods, problems } = read.value;
  for (const problem of problems) onNote(`autoscrape: ${problem}`);
  const isComplete = problems.length === 0;
  if (pods.length === 0 && !isComplete)
    return { ok: true, value: { isComplete, diagnosis: { sections: [], reports: [], versions: [] } } };
  const cluster = createClusterReader(kube, signal);
  const given: Result<Rules, string> | undefined =
    options.rules === undefined ? undefined : { ok: true, value: options.rules };
  const [inForce, selectors] = await Promise.all([given ?? readRules(options), selectorsInForce(kube, signal)]);
  const rules = inForce.ok ? inForce.value : defaultRules();
  // What is not known, and that nothing is installed, is a line of its own.
  if (selectors.inForce.selectors.some(({ from }) => from !== '')) for (const note of selectors.notes) onNote(note);
  const named: Named = targets.length > 0 ? 'pod' : namespace === undefined ? 'nothing' : 'namespace';
  const proxy = podProxy(kube);
  const place = options.prometheus;
  const found =
    place === undefined
      ? { ok: true as const, value: await findScrapers(cluster, proxy) }
      : await givenScraper(place, options.prometheusToken, { cluster, proxy });
  if (!found.ok) return found;
  const { scrapers, states, strangers } = await readScrapers(found.value, pods, rules.annotationKeys.scrape);
  const reports = await diagnosePods(pods, {
    ...options,
    cluster,
    rules,
    selectors,
    named,
    scrapers,
    now: options.now(),
  });
  // What is not about one pod: all of it where no target is named, and else the installation where it may be the cause.
  const isCause = reports.some(isInstallations);
  const sections: readonly Section[] = [
    ...(named !== 'pod' || isCause
      ? [await options.installation({ kube, cluster, rules: inForce, namespace, now: options.now() })]
      : []),
    ...(named === 'pod' ? [] : [scrapersSection(found.value, { states, strangers })]),
  ];
  const versions = [
    `autoscrape ${VERSION}`,
    `Kubernetes ${(await cluster.version()) ?? 'unknown'}`,
    ...states.map(({ scraper, version }) => `${scraper.name} ${version ?? 'unknown'}`),
  ];
  return { ok: true, value: { isComplete, diagnosis: { sections, reports, versions } } };
}

/** Returns whether the installation may be the cause of what was found. */
function isInstallations({ lines }: PodReport): boolean {
  return lines.some((line) => 'id' in line && line.id === 'pod-missed');
}

/** Returns the rules in force, or why they can't be read: then those of this version decide. */
async function readRules({ kube, signal, onNote }: DiagnoseOptions): Promise<Result<Rules, string>> {
  const inForce = await rulesInForce(kube, signal);
  const sentences = inForce.ok ? inForce.value.from : `Rules: those of this version, because of ${inForce.error}`;
  for (const line of sentences.split('\n')) onNote(line);
  return inForce.ok ? { ok: true, value: inForce.value.rules } : inForce;
}
