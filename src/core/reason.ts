/** Why a pod was left alone: a stable key (metric label, log field, test expectation) with its one sentence. */
export const REASONS = {
  unreadable:
    'The object is not a pod that can be read: metadata, spec.containers or a value in them has the wrong type, or there are more than 256 containers or 1,000 TCP ports.',
  mirror_pod: 'The pod is a mirror of a static pod: the kubelet owns it, and changes to it have no effect.',
  opted_out: 'The label autoscrape.io/inject of the pod is neither "enabled" nor "true".',
  already_injected: 'autoscrape has annotated this pod before, and its values are still there.',
  declined: 'The scrape annotation says something other than "true", so the pod is not to be scraped.',
  conflicting_keys: 'Two spellings of one annotation have different values, and Prometheus would pick one at random.',
  istio_merged:
    "Istio's injector came first and points Prometheus at its own port 15020, where it merges the metrics that it was told of.",
  already_annotated: 'The pod already says that and where it is to be scraped.',
  bad_port_annotation: 'The port annotation is not a decimal port that can be scraped.',
  bad_rule_label: 'The label autoscrape.io/rule names no rule, or a rule that finds no port in this pod.',
  bad_port_label: 'The label autoscrape.io/port names no port of this pod that can be scraped.',
  switched_off:
    'The pod itself shows that there are no metrics to reach: switched off, on loopback only, or not in this image.',
  https_endpoint: 'The endpoint speaks https, and annotating https endpoints is not switched on in the rules.',
  mesh_https: 'The endpoint speaks https and the pod is in an Istio mesh, whose agent scrapes over http only.',
  changed_since:
    'Only a part of what autoscrape.io/injected says is there: somebody has changed what autoscrape added, or copied the annotation.',
  no_candidate: 'No rule finds a metrics endpoint in this pod.',
  too_complex: 'There is more in this pod than one decision may look at: ports, arguments, variables, annotations.',
  too_large: 'With ours, the annotations would come too close to the limit of 256 KiB that a pod may carry.',
} as const satisfies Record<string, string>;

/** A key of {@link REASONS}. Public: metrics, logs and scripts rely on it. */
export type SkipReason = keyof typeof REASONS;
