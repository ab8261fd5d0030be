import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { HELMS, refusal } from '../../harness/chart/render.ts';

// What the chart refuses, and that its words say where the fault is and what to do.

const CA_BUNDLE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

const rules = (file: object): string[] => ['--set-json', `rules=${JSON.stringify(file)}`];

const cases: readonly (readonly [what: string, args: readonly string[], says: RegExp])[] = [
  ['a value that it does not know', ['--set', 'webhook.replica=3'], /webhook.*[aA]dditional propert.*replica/s],
  [
    'a value of the wrong type',
    ['--set-string', 'webhook.replicas=many'],
    /webhook.*replicas.*(got string, want integer|Expected: integer)/s,
  ],
  [
    'a value that is not among those allowed',
    ['--set', 'certificates.mode=none'],
    /mode.*cert-manager.*existingSecret/s,
  ],
  ['an unknown field in the rules', ['--set', 'rules.rulez=1'], /rules.*rulez/s],
  [
    'a rule without a condition known',
    ['--set', 'rules.rules[0].name=a,rules.rules[0].when.portNmae=x'],
    /rules.*0.*when.*portNmae/s,
  ],
  ['an annotation key that Kubernetes would refuse', ['--set', 'rules.annotations.port=a b'], /annotations.*port/s],
  [
    'two annotation keys that are one to Prometheus',
    ['--set', 'rules.annotations.scrape=a/b.c,rules.annotations.port=a/b-c'],
    /"a\/b-c".*"a\/b\.c".*the same key to Prometheus/s,
  ],
  [
    "an annotation key that is another's default",
    ['--set', 'rules.annotations.scrape=prometheus.io/path'],
    /"prometheus\.io\/path".*the same key to Prometheus/s,
  ],
  [
    "autoscrape's marker as an annotation key",
    ['--set', 'rules.annotations.path=autoscrape.io/injected'],
    /"autoscrape\.io\/injected".*the same key to Prometheus/s,
  ],
  [
    "a further endpoint's annotation key",
    ['--set', 'rules.annotations.path=prometheus.io/port-2'],
    /"prometheus\.io\/port-2".*the same key to Prometheus/s,
  ],
  [
    'an annotation key to which no number can be appended, with the bridge',
    ['--set', `bridge.enabled=true,rules.annotations.port=${'a'.repeat(62)}`],
    /rules\.annotations\.port.*at most 61 characters/s,
  ],
  [
    "the slow job's annotation key",
    ['--set', 'rules.annotations.path=prometheus.io/scrape-slow'],
    /"prometheus\.io\/scrape-slow".*the same key to Prometheus/s,
  ],
  ['a shipped rule to disable that does not exist', rules({ disabled: ['nosuch'] }), /disabled.*spring-boot/s],
  ...[
    { when: {} },
    { when: { portName: 'x' }, unless: {} },
    { when: { portNumber: 70_000 } },
    { when: { portNumber: [80, 0] } },
    { when: { portName: 'x' }, scrape: { port: 0 } },
    { when: { portName: 'x' }, scrape: { port: 15_020 } },
  ].map((rule) => {
    const fields = JSON.stringify(rule);
    return [`the rule ${fields}`, rules({ rules: [{ name: 'a', ...rule }] }), /rules.*rules.*0/s] as const;
  }),
  ['a rule called what means something else', rules({ rules: [{ name: 'label', when: { portName: 'x' } }] }), /name/],
  ['a statement of paths without a path', rules({ pathFrom: ['--path=(.*)'] }), /pathFrom.*0.*path/s],
  [
    "ports of an image that can't be",
    rules({ images: [{ images: ['x'], port: 0, otherPorts: [65_536] }] }),
    /images.*0/s,
  ],
  ['a dialect that there is not', rules({ dialects: ['prometheus'] }), /dialects.*grafana/s],
  [
    'a key of a dialect that is written as well',
    rules({ dialects: ['dynatrace'], annotations: { port: 'metrics.dynatrace.com/port' } }),
    /rules\.annotations\.port: "metrics\.dynatrace\.com\/port" is one of the keys of dynatrace.*remove dynatrace/s,
  ],
  ['a name that others sort before', ['--set', 'fullnameOverride=webhook'], /fullnameOverride/],
  ['an invalid port', ['--set', 'webhook.port=70000'], /webhook.*port/s],
  ['a caBundle that is no PEM', ['--set', 'certificates.caBundle=abc'], /caBundle/],
  ['a value taken away with null', ['--set', 'webhook.resources=null'], /webhook.*resources/s],
  [
    'failurePolicy Fail without the words',
    ['--set', 'webhook.failurePolicy=Fail'],
    /can stop workloads.*failurePolicyMeans="pods of opted-in namespaces cannot be created while autoscrape is down"/s,
  ],
  [
    "the kubelet's port on the node's network",
    ['--set', 'webhook.hostNetwork=true'],
    /port 10250 of every node.*webhook\.port=/s,
  ],
  [
    "the kubelet's port on the node's network, for health",
    ['--set', 'webhook.hostNetwork=true,webhook.port=10450,webhook.healthPort=10250'],
    /port 10250 of every node.*webhook\.healthPort=/s,
  ],
  [
    "a port of the node's network that others like too, for health",
    ['--set', 'webhook.hostNetwork=true,webhook.port=10450'],
    /port 8080 of a node.*webhook\.healthPort=18080/s,
  ],
  ['one port for two servers', ['--set', 'webhook.port=8080'], /both 8080/],
  ['an issuer without a name', ['--set', 'certificates.mode=issuerRef'], /certificates\.issuerRef\.name/],
  [
    'a Secret without a name',
    ['--set', 'certificates.mode=existingSecret,certificates.existingSecret.injectCA=true'],
    /certificates\.existingSecret\.name/,
  ],
  [
    'a Secret without a CA',
    ['--set', 'certificates.mode=existingSecret,certificates.existingSecret.name=tls'],
    /which CA to trust.*certificates\.caBundle.*injectCA/s,
  ],
  [
    'a Secret without a CA, beside an annotation that brings none',
    [
      '--set',
      'certificates.mode=existingSecret,certificates.existingSecret.name=tls',
      '--set-string',
      String.raw`webhook.annotations.argocd\.argoproj\.io/sync-wave=1`,
    ],
    /which CA to trust.*webhook\.annotations.*"inject"/s,
  ],
  ...['cert-manager', 'job'].map(
    (mode) =>
      [
        `a caBundle in mode ${mode}, whose CA is another`,
        ['--set', `certificates.mode=${mode}`, '--set-string', `certificates.caBundle=${CA_BUNDLE}`],
        /certificates\.caBundle.*another CA.*leave certificates\.caBundle empty/s,
      ] as const,
  ),
  ...['webhook', 'reconciler'].map(
    (component) =>
      [
        `the namespace's default account for the ${component}`,
        ['--set', `${component}.serviceAccount.name=default`],
        new RegExp(`${component}\\.serviceAccount\\.name is "default".*another name`, 's'),
      ] as const,
  ),
  ...[
    'webhook.serviceAccount.name=autoscrape,reconciler.serviceAccount.name=autoscrape',
    'webhook.serviceAccount.name=autoscrape-reconciler',
    'reconciler.serviceAccount.name=autoscrape-webhook',
  ].map(
    (values) =>
      [
        `one account for the webhook and the reconciler: ${values}`,
        ['--set', values],
        /are the same, "autoscrape.*two names/s,
      ] as const,
  ),
  ...['webhook', 'reconciler'].flatMap((component) =>
    ['certificate', 'ca-bundle', 'verify'].map(
      (owner) =>
        [
          `the account of the chart's own ${owner} for the ${component}, in any mode`,
          ['--set', `${component}.serviceAccount.name=autoscrape-${owner}`],
          new RegExp(`${component}\\.serviceAccount\\.name is "autoscrape-${owner}".*another name`, 's'),
        ] as const,
    ),
  ),
  [
    "the account's name as Kubernetes would refuse it",
    ['--set', 'webhook.serviceAccount.name=A'],
    /serviceAccount.*name/s,
  ],
  [
    "the sample in autoscrape's own namespace",
    ['--set', 'sample.enabled=true,sample.namespace=autoscrape'],
    /never annotates pods there/,
  ],
  [
    'the sample in a namespace that is excluded',
    ['--set', 'sample.enabled=true,sample.namespace=vault,webhook.excludedNamespaces={vault}'],
    /never annotates pods there/,
  ],
  [
    'the sample in the namespace that `helm test` creates and deletes',
    ['--set', 'sample.enabled=true,sample.namespace=autoscrape-verify'],
    /sample\.namespace.*`helm test` creates and deletes/s,
  ],
  [
    'an alert to leave out that does not exist',
    ['--set', 'monitoring.prometheusRule.disabledAlerts={AutoscrapeNoTrafic}'],
    /disabledAlerts.*AutoscrapeNoTraffic/s,
  ],
  [
    'two monitors, which would scrape every pod twice',
    ['--set', 'monitoring.podMonitor.enabled=true,monitoring.serviceMonitor.enabled=true'],
    /scraped twice.*monitoring\.podMonitor/s,
  ],
];

for (const helm of HELMS) {
  suite(`${helm} refuses`, () => {
    for (const [what, args, says] of cases) {
      test(what, async () => assert.match(await refusal(args, helm), says));
    }

    test('a release name that makes names too long', async () => {
      assert.match(
        await refusal([], helm, 'r'.repeat(41)),
        /52 characters.*more than 63.*shorter release name.*fullnameOverride.*51 characters/s,
      );
    });

    test('no version of Kubernetes that Helm assumes offline', async () => {
      for (const version of ['1.20.0', '1.29.0', '1.31.0']) {
        assert.equal(await refusal(['--kube-version', version], helm), '', version);
      }
    });

    test("nothing of a vendor's version suffix, of `global` or of a parent chart's `enabled`", async () => {
      assert.equal(await refusal(['--kube-version', '1.35.4-gke.100', '--set', 'global.x=1,enabled=true'], helm), '');
    });
  });
}
