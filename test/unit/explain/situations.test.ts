import assert from 'node:assert/strict';
import { stripVTControlCharacters } from 'node:util';
import test from 'node:test';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { examineInFull } from '../../../src/explain/examine.ts';
import { relate } from '../../../src/explain/related-objects.ts';
import { renderExplanation } from '../../../src/explain/text.ts';
import { parseManifest } from '../../../src/manifest/parse.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { defaultRules, readShipped } from '../../../src/rules/shipped.ts';
import { rulesOf } from '../core/rules/rules-of.ts';

// Situations that people ask about: what they wrote, and what `explain` says, with the words of a line in one line.

/** Returns the explanations of the manifest's workloads, each with all its words in one line. */
function explained(manifest: string, mesh = false, rules = defaultRules()): string {
  const { workloads, others } = readWorkloads(parseManifest(manifest).documents);
  assert.ok(workloads.length > 0);
  const surroundings = { rules, related: relate(others, ''), mesh, defaultNamespace: '' };
  return workloads
    .map((workload) => examineInFull({ workload, file: 'a.yaml' }, surroundings))
    .map((examined) => renderExplanation(examined, rules, { columns: 80, verbose: false, withFile: false }))
    .map((text) => stripVTControlCharacters(text).replaceAll(/\s+/g, ' '))
    .join('\n');
}

interface Written {
  readonly kind?: string;
  /** Of the workload itself. */
  readonly metadata?: string;
  readonly labels?: string;
  readonly annotations?: string;
  readonly container?: string;
  readonly spec?: string;
}

const IMAGE = 'image: registry.example/till:2';
const METRICS = `${IMAGE}, ports: [{ name: metrics, containerPort: 9464 }]`;

/** Returns a Deployment, or another kind with its template in the same place. */
function workload({
  kind = 'Deployment',
  metadata = '',
  labels = 'app: till',
  annotations = '',
  container = METRICS,
  spec = '',
}: Written): string {
  return `apiVersion: ${kind === 'Job' ? 'batch' : 'apps'}/v1
kind: ${kind}
metadata: { name: till, namespace: market, ${metadata} }
spec:
  ${spec}
  template:
    metadata: { labels: { ${labels} }, annotations: { ${annotations} } }
    spec: { containers: [{ name: till, ${container} }] }
`;
}

const service = (metadata: string, port = '{ name: web, port: 80, targetPort: 9464 }'): string => `---
apiVersion: v1
kind: Service
metadata: { name: till, namespace: market, ${metadata} }
spec: { selector: { app: till }, ports: [${port}] }
`;

const namespace = (labels: string): string => `---
apiVersion: v1
kind: Namespace
metadata: { name: market, labels: { ${labels} } }
`;

const monitor = (kind: string, spec: string, metadata = 'namespace: market'): string => `---
apiVersion: monitoring.coreos.com/v1
kind: ${kind}
metadata: { name: all, ${metadata} }
spec: { ${spec} }
`;

const SCRAPE = "prometheus.io/scrape: 'true'";

const SITUATIONS: readonly (readonly [what: string, manifest: string, says: readonly RegExp[], not?: RegExp])[] = [
  // What to do where no rule finds an endpoint.
  [
    'an app with one port called http: the label, and a rule to copy',
    workload({ container: `${IMAGE}, ports: [{ name: http, containerPort: 8080 }]` }),
    [
      /skipped \(no_candidate\).*To do: if it has metrics, label the pod template autoscrape\.io\/port: http /,
      /the reconciler asks port 8080 once the pod runs/,
      /rules: - name: till when: \{ image: \(\.\*\/\)\?till \}/,
    ],
  ],
  [
    'an app with a second port without a name: the label has its number',
    workload({ container: `${IMAGE}, ports: [{ name: http, containerPort: 80 }, { containerPort: 9102 }]` }),
    [
      /autoscrape\.io\/port: "9102", or the port that has them/,
      /when: \{ image: \(\.\*\/\)\?till, portNumber: 9102 \}/,
    ],
  ],
  [
    'an app without a port: what the label looks like',
    workload({ container: IMAGE }),
    [
      /No container declares a port/,
      /To do: if it has metrics, label the pod template with their port: autoscrape\.io\/port: "8080"/,
    ],
    /rules:/,
  ],
  [
    'an image that serves metrics only with a setting: the setting, and the port that it then has',
    workload({
      kind: 'StatefulSet',
      container: 'image: quay.io/keycloak/keycloak:26.3, ports: [{ name: management, containerPort: 9000 }]',
    }),
    [/To do: set KC_METRICS_ENABLED=true in container till: its image then serves metrics at port 9000\./],
  ],
  [
    'a pod that must not be asked is not said to be asked',
    workload({
      labels: "app: till, autoscrape.io/ask: 'false'",
      container: `${IMAGE}, ports: [{ name: http, containerPort: 80 }]`,
    }),
    [/skipped \(no_candidate\)/],
    /asks/,
  ],
  [
    "a database's own port is not suggested",
    workload({ container: 'image: postgres:17, ports: [{ containerPort: 5432 }]' }),
    [/To do: if it has metrics, label the pod template with their port/],
    /5432|rules:/,
  ],
  // Endpoints that annotations can't describe.
  [
    'an https endpoint: a PodMonitor with the labels of the pod',
    workload({
      labels: 'app: till, pod-template-hash: abc',
      container:
        'image: quay.io/brancz/kube-rbac-proxy:v0.18.0, args: [--secure-listen-address=0.0.0.0:8443], ports: [{ name: https, containerPort: 8443 }]',
    }),
    [
      /skipped \(https_endpoint, rule kube-rbac-proxy\)/,
      /kind: PodMonitor .* matchLabels: app: till podMetricsEndpoints: - port: https/,
      /scheme: https/,
    ],
    /pod-template-hash/,
  ],
  [
    'an endpoint that needs credentials: a PodMonitor to copy',
    workload({
      labels: 'app.kubernetes.io/name: probe, helm.sh/chart: probe-1',
      container:
        "image: prom/blackbox-exporter:v0.25.0, args: ['--web.config.file=/etc/web.yaml'], ports: [{ name: http, containerPort: 9115 }]",
    }),
    [
      /skipped \(guarded, .*To do: scrape it with a PodMonitor that has the credentials/,
      /matchLabels: app\.kubernetes\.io\/name: probe podMetricsEndpoints: - port: http path: \/metrics authorization: credentials:/,
    ],
    /helm/,
  ],
  [
    'metrics on loopback: where to listen',
    workload({ container: `${IMAGE}, args: ['--metrics-bind-address=127.0.0.1:8080']` }),
    [/skipped \(unreachable, .*To do: let it listen on all addresses/],
  ],
  [
    'two containers with metrics: the one that is lost, and how to get both',
    workload({
      container: `${METRICS} }, { name: worker, ${IMAGE}, ports: [{ name: worker-metrics, containerPort: 9121 }]`,
    }),
    [
      /annotated by rule metrics-port/,
      /of container till, because its container comes first\..*! port 9121 \(worker\) is not scraped.*a PodMonitor/,
    ],
  ],
  // Annotations written by hand: core/suspect-annotations.test.ts has all of them.
  [
    "the port of the Service in place of the container's",
    `${workload({ annotations: `${SCRAPE}, prometheus.io/port: '80'` })}${service('')}`,
    [
      /skipped \(already_annotated\).*To do: correct what the warnings name/,
      /! no container declares port 80; rule metrics-port finds port 9464/,
      /! prometheus\.io\/port is 80, the port of Service till, which sends it to port 9464 of the pod: .* write "9464"\./,
    ],
  ],
  [
    'annotations that nothing speaks against',
    workload({ annotations: `${SCRAPE}, prometheus.io/port: '9464', prometheus.io/interval: 60s` }),
    [
      /scrape annotations of its own, which autoscrape never changes\. To do: nothing: scrapers read its own annotations\. $/m,
    ],
    /!/,
  ],
  [
    'scrape without a port beside several: the port that a rule finds, and no claim that the pod says where',
    workload({
      annotations: SCRAPE,
      container: `${IMAGE}, ports: [{ name: web, containerPort: 8000 }, { name: metrics, containerPort: 9100 }]`,
    }),
    [/scrapes all 2 declared ports: set it to "9100", which rule metrics-port finds/],
    /say where/,
  ],
  [
    'values without quotes: which one to quote',
    workload({ annotations: 'prometheus.io/scrape: true, prometheus.io/port: 9464' }),
    [
      /skipped \(unreadable\).*To do: the annotation prometheus\.io\/scrape is not a string: quote it, as in 'true'\. The annotation prometheus\.io\/port/,
    ],
  ],
  [
    'annotations on the workload in place of its template: where they belong',
    workload({
      kind: 'DaemonSet',
      metadata: `annotations: { ${SCRAPE}, prometheus.io/port: '10093' }`,
      container: `${IMAGE}, ports: [{ containerPort: 10093 }]`,
    }),
    [
      /To do: correct what the warnings name/,
      /! The DaemonSet itself has the annotations prometheus\.io\/scrape and prometheus\.io\/port, which nobody reads there: move them to spec\.template\.metadata\.annotations\./,
    ],
  ],
  [
    'our label on the workload in place of its template',
    workload({ metadata: "labels: { autoscrape.io/port: '8080' }", container: IMAGE }),
    [
      /! The Deployment itself has the label autoscrape\.io\/port, which nobody reads there: move it to spec\.template\.metadata\.labels\./,
    ],
  ],
  [
    'annotations on both are not misplaced',
    workload({ metadata: `annotations: { ${SCRAPE} }`, annotations: `${SCRAPE}, prometheus.io/port: '9464'` }),
    [/already_annotated/],
    /itself has/,
  ],
  [
    'a misspelt key: the one that was probably meant',
    workload({ annotations: "prometheus.io/scrap: 'true'", container: IMAGE }),
    [/! The annotation prometheus\.io\/scrap is read by nobody, did you mean "prometheus\.io\/scrape"\?/],
  ],
  // Namespaces.
  [
    'a namespace that is not in the input: the command that opts it in',
    workload({}),
    [
      /Its target: :9464\/metrics, of container till\. To do: kubectl label namespace market autoscrape\.io\/inject=enabled \+/,
    ],
  ],
  [
    'a namespace that is opted in',
    workload({}) + namespace('autoscrape.io/inject: enabled'),
    [/To do: nothing: namespace market is opted in, so new pods are annotated .* and running ones by the reconciler\./],
  ],
  [
    'a namespace that is opted out',
    workload({}) + namespace("autoscrape.io/inject: 'off'"),
    [/To do: kubectl label namespace market autoscrape\.io\/inject=enabled --overwrite/],
  ],
  [
    "a namespace of the cluster's own",
    workload({ metadata: 'namespace: kube-system' }).replace('namespace: market, ', ''),
    [
      /annotated by rule metrics-port, but never in this namespace/,
      /To do: write the annotations into the pod template yourself\. In namespace kube-system no pod is ever annotated or asked\./,
    ],
  ],
  [
    'an app in such a namespace: neither a label nor a rule helps',
    workload({
      metadata: 'namespace: kube-system',
      container: `${IMAGE}, ports: [{ name: http, containerPort: 80 }]`,
    }).replace('namespace: market, ', ''),
    [/skipped \(no_candidate\).*To do: write the annotations into the pod template yourself. In namespace kube-system/],
    /label the pod|rules:/,
  ],
  [
    'a namespace in which asking is switched off',
    workload({ container: `${IMAGE}, ports: [{ name: http, containerPort: 80 }]` }) +
      namespace('autoscrape.io/ask: disabled'),
    [/no_candidate/],
    /asks/,
  ],
  [
    'a namespace where Istio injects its proxy decides as --mesh',
    workload({ container: `${IMAGE}, ports: [{ name: https-metrics, containerPort: 8443 }]` }) +
      namespace('istio-injection: enabled'),
    [/skipped \(mesh_https/],
  ],
  // Other targets of the same pods.
  [
    'a Service that is annotated, too: how many targets each scraper makes',
    workload({}) + service(`annotations: { ${SCRAPE} }`),
    [
      /! Service till has prometheus\.io\/scrape: "true" too, so the charts of Prometheus and VictoriaMetrics make 2 targets of each pod;.* make 1\./,
    ],
  ],
  [
    'a Service that is annotated, of other pods',
    workload({ labels: 'app: other' }) + service(`annotations: { ${SCRAPE} }`),
    [/annotated by rule metrics-port/],
    /Service till/,
  ],
  [
    'only the Service is annotated: who scrapes it, and what the pod needs',
    workload({ container: `${IMAGE}, ports: [{ containerPort: 9000 }]` }) +
      service(`annotations: { ${SCRAPE}, prometheus.io/port: '9000' }`, '{ port: 9000 }'),
    [/Only Service till is annotated: .*label the pod autoscrape\.io\/port: "9000"/],
  ],
  [
    'a PodMonitor that selects the pod',
    workload({}) +
      monitor('PodMonitor', 'selector: { matchLabels: { app: till } }, podMetricsEndpoints: [{ port: metrics }]'),
    [
      /PodMonitor all selects this pod too: .*makes 1 target of the pod, and each scraper that reads the annotations 1 more/,
    ],
  ],
  [
    'a ServiceMonitor that selects the Service of the pod, from another namespace',
    workload({}) +
      service('labels: { team: a }') +
      monitor(
        'ServiceMonitor',
        'namespaceSelector: { any: true }, selector: { matchExpressions: [{ key: team, operator: Exists }] }, endpoints: [{ port: web }, { port: web, path: /more }]',
        'namespace: monitoring',
      ),
    [/ServiceMonitor all selects this pod too: .*makes 2 targets of the pod/],
  ],
  [
    'a PodMonitor with a port that no container declares',
    workload({}) + monitor('PodMonitor', 'selector: {}, podMetricsEndpoints: [{ port: metrisc }]'),
    [/PodMonitor all selects this pod, but names no port that a container declares: it makes no target\./],
  ],
  [
    'a PodMonitor of another namespace, and one of other pods',
    workload({}) +
      monitor('PodMonitor', 'selector: {}, podMetricsEndpoints: [{ port: metrics }]', 'namespace: elsewhere') +
      monitor('PodMonitor', 'selector: { matchLabels: { app: other } }, podMetricsEndpoints: [{ port: metrics }]'),
    [/annotated by rule metrics-port/],
    /PodMonitor/,
  ],
  [
    'a PodMonitor of a pod that gets no annotations',
    workload({ labels: 'app: till, autoscrape.io/inject: disabled' }) +
      monitor('PodMonitor', 'selector: {}, podMetricsEndpoints: [{ port: metrics }]'),
    [/opted_out/, /PodMonitor all selects this pod: by it .* makes 1 target of the pod\./],
  ],
  // Notes that are true of this very pod.
  [
    "a Job: its finished pods stay some scrapers' targets",
    workload({ kind: 'Job' }),
    [/Finished pods of a Job stay targets, which are down, for VictoriaMetrics and Azure/],
  ],
  [
    'a Job that is deleted when it has finished',
    workload({ kind: 'Job', spec: 'ttlSecondsAfterFinished: 60' }),
    [/annotated by rule metrics-port/],
    /Finished/,
  ],
];

for (const [what, manifest, says, not] of SITUATIONS) {
  test(`explain: ${what}`, () => {
    const text = explained(manifest);
    for (const pattern of says) assert.match(text, pattern);
    if (not !== undefined) assert.doesNotMatch(text, not);
  });
}

test("explain: a Service's annotation has the usual key, whatever key the rules write on pods", () => {
  const rules = rulesOf('annotations: { scrape: example.com/scrape }');
  const text = explained(workload({}) + service("annotations: { prometheus.io/scrape: 'true' }"), false, rules);
  assert.match(text, /Service \S+ has prometheus\.io\/scrape: "true" too/);
});

test("explain: Istio's merged port is noted in a mesh, and not where merging is switched off", () => {
  assert.match(explained(workload({}), true), /port 15020/);
  assert.doesNotMatch(
    explained(workload({ annotations: "prometheus.istio.io/merge-metrics: 'false'" }), true),
    /15020/,
  );
  assert.doesNotMatch(explained(workload({})), /15020/);
});

test('explain: the rule that it prints finds the port, whatever the image and the port are called', () => {
  for (const [image, ports] of [
    ['registry.example:5000/team/till.web+x:1', '[{ name: http, containerPort: 8080 }]'],
    ['till@sha256:0000', '[{ name: web, containerPort: 80 }, { name: api, containerPort: 9200 }]'],
    ["''", '[{ containerPort: 80 }, { containerPort: 81 }]'],
  ]) {
    const manifest = workload({ container: `image: ${image}, ports: ${ports}` });
    const rules = defaultRules();
    const { workloads } = readWorkloads(parseManifest(manifest).documents);
    const [found] = workloads;
    assert.ok(found !== undefined);
    const surroundings = { rules, related: relate([], ''), mesh: false, defaultNamespace: '' };
    const [snippet] = examineInFull({ workload: found, file: '' }, surroundings).advice.snippets;
    const parsed = parseRules(snippet?.yaml ?? '', readShipped());
    assert.ok(parsed.ok, snippet?.yaml);
    const again = examineInFull({ workload: found, file: '' }, { ...surroundings, rules: parsed.value.rules });
    assert.equal(again.decision.outcome, 'annotate', snippet?.yaml);
  }
});

test('explain: the commonest case fits on a screen of 80×24, and its first three lines are the answer', () => {
  const rules = defaultRules();
  const manifest = workload({ container: `${IMAGE}, ports: [{ name: http, containerPort: 8080 }]` });
  const [found] = readWorkloads(parseManifest(manifest).documents).workloads;
  assert.ok(found !== undefined);
  const surroundings = { rules, related: relate([], ''), mesh: false, defaultNamespace: '' };
  const examined = examineInFull({ workload: found, file: '' }, surroundings);
  const text = renderExplanation(examined, rules, { columns: 80, verbose: false, withFile: false });
  const all = stripVTControlCharacters(text).trimEnd().split('\n');
  assert.deepEqual(all.slice(0, 3), [
    'Deployment market/till: skipped (no_candidate)',
    '  No rule finds a metrics endpoint in this pod.',
    '  To do: if it has metrics, label the pod template autoscrape.io/port: http',
  ]);
  assert.ok(all.length < 20);
  for (const line of all) assert.ok(line.length <= 80, line);
});

test('a Service that the consumer of a dialect reads too is named, where that dialect is written', () => {
  const rules = rulesOf('dialects: [grafana, datadog, dynatrace, opentelemetry]');
  for (const [key, consumer, name] of [
    ['k8s.grafana.com/scrape', "Grafana's k8s-monitoring", 'grafana'],
    ['metrics.dynatrace.com/scrape', 'Dynatrace', 'dynatrace'],
  ] as const) {
    const said = `Service till has ${key}: "true" too, with which ${consumer} scrapes what is behind it once more: take that off the Service, or ${name} out of dialects.`;
    const both = workload({}) + service(`annotations: { ${key}: 'true' }`);
    assert.ok(explained(both, false, rules).includes(said));
    assert.ok(!explained(both, false, rulesOf('dialects: [datadog]')).includes('Service till'));
    const ofOthers = workload({ labels: 'app: other' }) + service(`annotations: { ${key}: 'true' }`);
    assert.ok(!explained(ofOthers, false, rules).includes('Service till'));
    assert.ok(!explained(both.replace("'true'", "'false'"), false, rules).includes('Service till'));
  }
});
