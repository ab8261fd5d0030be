import { DIALECTS } from './annotations/dialects/dialects.ts';
import { isPlainPath } from './annotations/dialects/dialect.ts';
import type { DialectPod, Written } from './annotations/dialects/dialect.ts';
import { isAlikeTo } from './annotations/scrape-keys.ts';
import type { ScrapeAnnotations } from './annotations/scrape-keys.ts';
import type { DecidedEndpoint } from './additional-endpoints.ts';
import { MAX_ADDITIONAL_PATH } from './limits.ts';
import type { Pod } from './pod/pod.ts';
import type { Rules } from './rules/rule.ts';
import { spend } from './step-budget.ts';

/** What decides what is written in which dialect. */
export interface DialectSurroundings {
  readonly pod: Pod;
  readonly rules: Rules;
  readonly mesh: boolean;
  readonly stated: ScrapeAnnotations;
}

/** No annotation in any dialect, and nothing to say about it. */
export const NO_DIALECT: Written = { annotations: {}, notes: [] };

/** In steps, for one key: most are only found to begin otherwise than those that matter. */
const STEPS_PER_ANNOTATION = 16;

/** Characters of an annotation's key, with its prefix, that Kubernetes allows: a pod may bring more. */
const LONGEST_KEY = 317;

/** How every key begins that a dialect reads, in any spelling, and {@link PARAMETER}. */
const RELEVANT = /^(?:k8s|ad\.|service-|metrics\.|io\.|prometheus)/;

/** A parameter of the scrape, as Prometheus' community chart reads it. */
const PARAMETER = /^prometheus[^A-Za-z0-9]io[^A-Za-z0-9]param_/;

/**
 * Returns the annotations that say in the dialects of the rules where the endpoints are, none of which the pod has, and why some are
 * not written. Of the endpoints those count that the annotations of Prometheus carry.
 */
export function writeDialects(endpoints: readonly DecidedEndpoint[], surroundings: DialectSurroundings): Written {
  const { pod, rules, mesh, stated } = surroundings;
  if (rules.dialects.length === 0) return NO_DIALECT;
  if (mesh) return nothing("Istio's proxy is in front of the endpoints, and its injector moves prometheus.io/* alone");
  if (stated.slow === 'true') return nothing('they cannot ask for slow scrapes, as the pod does');
  if (!spend(pod.work, pod.annotations.size * STEPS_PER_ANNOTATION)) return NO_DIALECT;
  const keys = [...pod.annotations.keys()].filter((key) => RELEVANT.test(key));
  if (keys.some((key) => PARAMETER.test(key))) return nothing('they cannot carry parameters, as the pod has them');
  const [first, ...others] = endpoints.filter(({ left }) => left === undefined);
  if (first === undefined || !isShortAndPlain(first))
    return nothing('the path is too long, or means something else there');
  const carried = others.filter(isShortAndPlain);
  const dialectPod = readDialectPod(pod, keys);
  const written = rules.dialects.map((name): Written => {
    const { consumer, isStated, write } = DIALECTS[name];
    const key = keys.find(isStated);
    return key === undefined
      ? write([first, ...carried], dialectPod)
      : {
          annotations: {},
          notes: [
            `The pod says itself what ${consumer} scrapes, with ${key.slice(0, LONGEST_KEY)}, so nothing is added for it.`,
          ],
        };
  });
  return {
    annotations: Object.assign({}, ...written.map(({ annotations }) => annotations)),
    notes: [
      ...written.flatMap(({ notes }) => notes),
      ...others
        .filter((endpoint) => !isShortAndPlain(endpoint))
        .map(
          ({ port }) =>
            `Port ${port} is in prometheus.io/* alone: its path is too long, or means something else elsewhere.`,
        ),
    ],
  };
}

function nothing(because: string): Written {
  return { annotations: {}, notes: [`Nothing is written in other dialects: ${because}.`] };
}

/** The marker repeats every path that is written, which Datadog's and OpenTelemetry's values repeat as well. */
function isShortAndPlain({ path }: DecidedEndpoint): boolean {
  return path.length <= MAX_ADDITIONAL_PATH && isPlainPath(path);
}

function readDialectPod({ containers }: Pod, keys: readonly string[]): DialectPod {
  const [first, ...others] = containers.map(({ name }) => name);
  const numbers = containers.flatMap(({ ports }) => ports.map(({ number }) => number));
  return {
    regular: [first ?? '', ...others],
    declarations: (port) => numbers.filter((number) => number === port).length,
    has: (key) => keys.some((each) => isAlikeTo(key, each)),
  };
}
