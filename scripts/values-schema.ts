import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { RulesFile } from '../src/core/rules/schema.ts';
import { jsonSchema } from '../src/rules/json-schema.ts';
import { readShipped } from '../src/rules/shipped.ts';

// The chart's values; for `rules` the schema with which the program reads its rules file. Every field is required, because
// values.yaml has a default for each: a missing one was removed with `null`.

const Text = z.string();
const Labels = z.record(z.string(), z.string());
const Port = z.int().min(1).max(65535);
/** Absent where it was removed with `null`: then it is left to an autoscaler. */
const Replicas = z.int().min(0).nullable().optional();
const Hours = z.string().regex(/^[0-9]+(\.[0-9]+)?(h|m|s)([0-9]+(m|s))*$/);
const Interval = z.string().regex(/^([0-9]+(ms|[smhdwy]))*$/);
const NamespaceName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
  .max(63);

const Certificates = z.string().regex(/^(\s*-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----\s*)?$/);
const AccountName = z
  .string()
  .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/)
  .max(253);

/** An object of Kubernetes' own, which the API server checks. */
const KubernetesObject = z.record(z.string(), z.unknown());
const KubernetesList = z.array(KubernetesObject);

const pod = {
  resources: KubernetesObject,
  podLabels: Labels,
  podAnnotations: Labels,
  priorityClassName: Text,
  nodeSelector: Labels,
  tolerations: KubernetesList,
  affinity: KubernetesObject,
  topologySpreadConstraints: KubernetesList,
  extraEnv: KubernetesList,
};
const process = {
  ...pod,
  serviceAccount: z.strictObject({ name: AccountName, annotations: Labels }),
  deploymentAnnotations: Labels,
  extraArgs: z.array(Text),
  extraVolumes: KubernetesList,
  extraVolumeMounts: KubernetesList,
};

const LabelSelector = z.strictObject({
  matchLabels: Labels.optional(),
  matchExpressions: z
    .array(
      z.strictObject({
        key: Text,
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(Text).optional(),
      }),
    )
    .optional(),
});

const Namespace = NamespaceName.or(z.literal(''));
const Monitor = z.strictObject({
  enabled: z.boolean(),
  namespace: Namespace,
  labels: Labels,
  interval: Interval,
  scrapeTimeout: Interval,
  relabelings: KubernetesList,
  metricRelabelings: KubernetesList,
  endpointFields: KubernetesObject,
});

/** The alerts of files/alerts.yaml: a misspelt name would switch none off. */
const Alert = z.enum(readAlerts());

/** The names of the shipped rules belong to one version, and so does the chart: Helm refuses an unknown one. */
const Rules = RulesFile.extend({
  disabled: z
    .array(z.enum(readShipped().defaults.rules.map(({ name }) => name)))
    .default([])
    .describe(RulesFile.shape.disabled.description ?? ''),
});

const Values = z.strictObject({
  // Not in values.yaml: what a parent chart hands down to every subchart, and what it commonly names in `condition`.
  global: KubernetesObject.optional(),
  enabled: z.boolean().optional(),
  image: z.strictObject({
    registry: z.string().regex(/^([^\s/].*[^\s/])?$/),
    repository: z.string().regex(/^[a-z0-9][a-z0-9._/-]*$/),
    tag: z.string().regex(/^([\w][\w.-]{0,127})?$/),
    digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
    pullPolicy: z.enum(['IfNotPresent', 'Always', 'Never']),
  }),
  imagePullSecrets: z.array(z.strictObject({ name: Text })),
  fullnameOverride: z.string().regex(/^(autoscrape([-a-z0-9]*[a-z0-9])?)?$/),
  namespaceOverride: Namespace,
  commonLabels: Labels,
  commonAnnotations: Labels,
  extraObjects: KubernetesList,
  revisionHistoryLimit: z.int().min(0),
  podSecurityContext: KubernetesObject,
  securityContext: KubernetesObject,
  logLevel: z.enum(['debug', 'info', 'warn', 'error']),
  observe: z.boolean(),
  rules: Rules,
  webhook: z.strictObject({
    enabled: z.boolean(),
    replicas: Replicas,
    failurePolicy: z.enum(['Ignore', 'Fail']),
    failurePolicyMeans: Text,
    timeoutSeconds: z.int().min(1).max(30),
    reinvocationPolicy: z.enum(['IfNeeded', 'Never']),
    namespaceSelector: LabelSelector,
    excludedNamespaces: z.array(NamespaceName),
    objectSelector: LabelSelector,
    matchConditions: z.array(z.strictObject({ name: Text, expression: Text })).max(62),
    annotations: Labels,
    port: Port,
    healthPort: Port,
    hostNetwork: z.boolean(),
    clientCA: Certificates,
    tlsMinVersion: z.enum(['1.2', '1.3']),
    drainSeconds: z.int().min(0).max(300),
    service: z.strictObject({
      annotations: Labels,
      ipFamilyPolicy: z.enum(['', 'SingleStack', 'PreferDualStack', 'RequireDualStack']),
      ipFamilies: z.array(z.enum(['IPv4', 'IPv6'])).max(2),
    }),
    podDisruptionBudget: z.strictObject({ enabled: z.boolean() }),
    ...process,
  }),
  reconciler: z.strictObject({
    enabled: z.boolean(),
    replicas: Replicas,
    patchesPerSecond: z.int().min(1).max(1000),
    ask: z.strictObject({
      enabled: z.boolean(),
      ports: z.enum(['probed', 'web', 'likely', 'all']),
      annotatedServices: z.enum(['', 'leave', 'ask']),
    }),
    healthPort: Port,
    ...process,
  }),
  certificates: z.strictObject({
    mode: z.enum(['cert-manager', 'issuerRef', 'existingSecret', 'job']),
    caBundle: Certificates,
    duration: Hours,
    renewBefore: Hours.or(z.literal('')),
    caDuration: Hours,
    issuerRef: z.strictObject({ name: Text, kind: Text, group: Text }),
    existingSecret: z.strictObject({ name: Text, injectCA: z.boolean() }),
  }),
  sample: z.strictObject({ enabled: z.boolean(), namespace: NamespaceName, createNamespace: z.boolean(), ...pod }),
  monitoring: z.strictObject({
    podAnnotations: z.boolean(),
    podMonitor: Monitor,
    serviceMonitor: Monitor,
    prometheusRule: z.strictObject({
      enabled: z.boolean(),
      namespace: Namespace,
      labels: Labels,
      alertLabels: Labels,
      disabledAlerts: z.array(Alert),
      slowSeconds: z.number().positive(),
      certificateDays: z.number().positive(),
      runbookUrl: z.string().regex(/^https?:\/\/[^\s#]+$/),
    }),
    dashboard: z.strictObject({ enabled: z.boolean(), namespace: Namespace, labels: Labels, annotations: Labels }),
  }),
  bridge: z.strictObject({ enabled: z.boolean(), labels: Labels, interval: Interval }),
  networkPolicy: z.strictObject({
    enabled: z.boolean(),
    webhookFrom: KubernetesList,
    metricsFrom: KubernetesList,
    reconcilerEgress: KubernetesList,
  }),
  test: z.strictObject({ namespaceLabels: Labels, podLabels: Labels }),
});

/** Returns the names of the alerts that the chart ships. */
function readAlerts(): readonly string[] {
  const text = readFileSync(new URL('../chart/files/alerts.yaml', import.meta.url), 'utf8');
  return [...text.matchAll(/^ *- alert: (\w+)$/gm)].map(([, name = '']) => name);
}

/** Returns the JSON Schema of the chart's values. */
export function valuesSchema(): Record<string, unknown> {
  return jsonSchema(Values);
}
