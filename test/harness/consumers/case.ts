import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import patch from 'fast-json-patch';
import { parseAllDocuments } from 'yaml';
import { readScrapeAnnotations } from '../../../src/core/annotations/scrape-keys.ts';
import { decide } from '../../../src/core/decide.ts';
import type { Decision } from '../../../src/core/decision.ts';
import { isObject } from '../../../src/core/json.ts';
import { renderPatch } from '../../../src/core/patch.ts';
import type { Rules } from '../../../src/core/rules/parse.ts';
import { parseManifest } from '../../../src/manifest/parse.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';
import { readFixtures } from '../pods/fixtures.ts';
import { DEFAULT_MESH, injectByIstio } from '../mesh/istio.ts';
import type { PodObject } from '../mesh/istio.ts';

/** A pod as scrapers get to see it: after autoscrape, and after Istio where the case is about that. */
export interface Case {
  /** A DNS label, so that the pod can be called by it. */
  readonly name: string;
  /** As its author wrote it. */
  readonly original: PodObject;
  readonly pod: PodObject;
  readonly decision: Decision;
  readonly status: Status;
  /** The annotations of a Service that selects the pod, if there is one. */
  readonly service: Readonly<Record<string, string>> | undefined;
  /** Where its metrics are: what exactly one target must point at. `theirs` where the author alone has said it. */
  readonly wanted: Wanted;
  /** Whether the annotations are the usual ones. */
  readonly usualKeys: boolean;
}

/** The address without host, nothing that should be scraped, or the author's own affair. */
export type Wanted =
  | {
      readonly kind: 'endpoint';
      readonly url: (ip: string) => string;
      /** Those of the further endpoints, for a scraper that reads numbered keys. */
      readonly further: (ip: string) => readonly string[];
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'theirs' };

/** What becomes of the pod on its node. */
export interface Status {
  readonly phase: string;
  readonly ready: boolean;
  /** Undefined: any IPv4 address will do. */
  readonly podIP: string | undefined;
}

const RUNNING: Status = { phase: 'Running', ready: true, podIP: undefined };
const EXAMPLES = new URL('../../../examples/', import.meta.url);
const OWN_PODS = new URL('pods/', import.meta.url);

/** Returns the pods of all fixtures, of the examples, and those that are here for a consumer's sake. */
export function readCases(): Case[] {
  const fixtures = readFixtures().flatMap(({ name, pod, rules, mesh }) => {
    const read = readPod(pod);
    const plain = createCase(name, read, rules, mesh, RUNNING);
    return mesh && plain.decision.outcome === 'annotate'
      ? [plain, behindIstio(plain, true), behindIstio(plain, false)]
      : [plain];
  });
  const rules = defaultRules();
  const own = readdirSync(OWN_PODS)
    .toSorted()
    .map((file) => {
      const [{ status, ...pod } = {}, service] = readDocuments(readFileSync(new URL(file, OWN_PODS), 'utf8'));
      const plain = createCase(file.replace(/\.yaml$/, ''), readPod(pod), rules, false, { ...RUNNING, ...status });
      return service === undefined ? plain : { ...plain, service: service.metadata?.annotations ?? {} };
    });
  const examples = readdirSync(EXAMPLES)
    .filter((file) => file.endsWith('.yaml'))
    .toSorted()
    .flatMap((file) => {
      const { documents } = parseManifest(readFileSync(new URL(file, EXAMPLES), 'utf8'));
      return readWorkloads(documents).workloads.map(({ name, pod }) =>
        createCase(`example-${name}`, readPod(pod), rules, false, RUNNING),
      );
    });
  return [...fixtures, ...examples, ...own];
}

function createCase(name: string, original: PodObject, rules: Rules, mesh: boolean, status: Status): Case {
  const decision = decide(original, rules, { mesh });
  const pod = patch.applyPatch(original, renderPatch(original, decision), true, false).newDocument;
  const stated = readScrapeAnnotations(
    rules.annotationKeys,
    new Map(Object.entries(original.metadata.annotations ?? {})),
  );
  return {
    name,
    original,
    pod,
    decision,
    status,
    service: undefined,
    wanted: wantedOf(decision, stated, status),
    usualKeys: rules.annotationKeys.scrape === 'prometheus.io/scrape',
  };
}

function wantedOf(decision: Decision, stated: ReturnType<typeof readScrapeAnnotations>, status: Status): Wanted {
  if (status.phase !== 'Running') return { kind: 'none' };
  if (decision.outcome === 'annotate') {
    const [endpoint, ...further] = decision.endpoints;
    const scheme = stated.scheme ?? endpoint.scheme;
    const path = stated.path ?? endpoint.path;
    const numbered = further.filter(({ left }) => left === undefined);
    return {
      kind: 'endpoint',
      url: (ip) => `${scheme}://${host(ip)}:${endpoint.port}${path}`,
      further: (ip) => numbered.map((each) => `${each.scheme}://${host(ip)}:${each.port}${each.path}`),
    };
  }
  return { kind: stated.scrape === 'true' || stated.slow === 'true' ? 'theirs' : 'none' };
}

/** The same pod once Istio's injector has seen it after us: its agent's address is the one right target then. */
function behindIstio(plain: Case, nativeSidecar: boolean): Case {
  const injection = injectByIstio(plain.pod, { ...DEFAULT_MESH, nativeSidecar });
  assert.ok(injection.outcome === 'injected');
  return {
    ...plain,
    name: `${plain.name}-then-istio-${nativeSidecar ? 'native' : 'regular'}`,
    pod: injection.pod,
    wanted: { kind: 'endpoint', url: (ip) => `http://${host(ip)}:15020/stats/prometheus`, further: () => [] },
  };
}

interface OwnDocument {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly status?: Partial<Status>;
}

function readDocuments(text: string): OwnDocument[] {
  return parseAllDocuments(text).map((document): OwnDocument => document.toJS());
}

function host(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}

function readPod(value: unknown): PodObject {
  assert.ok(isPod(value), 'a fixture without metadata or containers');
  return value;
}

function isPod(value: unknown): value is PodObject {
  return (
    isObject(value) &&
    isObject(value['metadata']) &&
    isObject(value['spec']) &&
    Array.isArray(value['spec']['containers'])
  );
}
