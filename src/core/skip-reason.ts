/**
 * Why a pod was skipped: a stable key (metric label, log field, test expectation) with its
 * sentence.
 */
export const REASONS = {
  unreadable:
    'The object cannot be read as a pod: metadata, spec.containers or a value in them has the wrong type, or it has more than 256 containers or 1,000 TCP ports.',
  mirror_pod: 'The pod is a mirror of a static pod: the kubelet owns it, and changes to it have no effect.',
  opted_out: 'The label autoscrape.io/inject of the pod is neither "enabled" nor "true".',
  already_injected: 'autoscrape has already annotated this pod, and its annotations are unchanged.',
  declined: 'The scrape annotation has a value other than "true", so scrapers must not scrape the pod.',
  conflicting_keys:
    'Two spellings of one annotation have different values, and Prometheus picks one of them at random.',
  istio_merged:
    "Istio's injector ran first and points Prometheus at its own port 15020, where it merges the metrics that it knows of.",
  already_annotated: 'The pod has scrape annotations of its own, which autoscrape never changes.',
  bad_port_annotation: 'The port annotation is not a decimal port number that can be scraped.',
  bad_rule_label: 'The label autoscrape.io/rule names an unknown rule, or a rule that finds no port in this pod.',
  bad_port_label: 'The label autoscrape.io/port does not name a port of this pod that can be scraped.',
  switched_off: "The pod's own settings switch its metrics off, or a rule says that it has none.",
  unreachable:
    'The pod serves its metrics on loopback only (127.0.0.1, ::1 or localhost), where no scraper reaches them.',
  guarded: "The pod's own settings protect its metrics with credentials, which no annotation can carry.",
  served_elsewhere:
    "The pod's own settings send its metrics elsewhere: they are pushed, or another port or pod serves them.",
  https_endpoint: 'The endpoint uses https, and the rules file does not enable https endpoints (https: true).',
  mesh_https: 'The endpoint uses https, and the pod is in an Istio mesh, whose agent scrapes over http only.',
  changed_since:
    'Only some of the annotations that autoscrape.io/injected lists are present: somebody changed them, or copied that annotation from another pod.',
  to_be_asked:
    'The rule that matches only hints at metrics (confirm: true), and asking is on: the reconciler asks the pod first.',
  no_candidate: 'No rule finds a metrics endpoint in this pod.',
  too_complex:
    'The pod is too complex to be read within the limit: too many ports, arguments, variables or annotations.',
  too_large: 'With those that autoscrape adds, the annotations would come too close to the limit of 256 KiB.',
} as const satisfies Record<string, string>;

/** A key of {@link REASONS}. Public: metrics, logs and scripts rely on it. */
export type SkipReason = keyof typeof REASONS;

/** Why a container has no endpoint that can be scraped, though something is known of its metrics. */
export const NO_ENDPOINT = ['switched_off', 'unreachable', 'guarded', 'served_elsewhere'] as const;

/** One of {@link NO_ENDPOINT}: what a rule or the catalogue can say in place of an endpoint. */
export type NoEndpoint = (typeof NO_ENDPOINT)[number];
