import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Rules } from '../../../src/core/rules/rule.ts';
import { rulesOf } from '../core/rules/rules-of.ts';
import { VERDICTS } from '../../../src/core/ask/verdict.ts';
import type { Verdict } from '../../../src/core/ask/verdict.ts';
import { quoted } from '../../../src/doctor/finding.ts';
import { down, ids, JOB, look, METRICS, NOW, print, target, WRITTEN } from './situation.ts';

/** A pod without annotations for which there is no target. */
const BARE = { pod: { annotations: {} }, active: [] };

/** Keeps declared ports only, as the chart of VictoriaMetrics does. */
const DECLARED = `${JOB}  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_container_port_number]
    action: keep_if_equal
`;

suite('doctor', () => {
  test('a healthy pod has ticks only, and the answer says since when', async () => {
    const report = await look({});
    assert.equal(
      print(report),
      [
        'shop/orders-1',
        '  ✔ annotated by its author: http :8080/metrics',
        '  ✔ answers through the API server: 214 series in 0.04 s, text',
        '  ✔ Prometheus monitoring/p says up, 3 s ago: http://10.1.2.3:8080/metrics in pool kubernetes-pods',
        '  ✔ 214 samples in the last scrape',
        'shop/orders-1 is scraped: up, 214 samples, 3 s ago',
        '',
      ].join('\n'),
    );
  });

  test('scrapes that failed before the first one that was answered are the start of a pod, and no flapping', async () => {
    assert.deepEqual(ids(await look({ stored: { answered: 40, falls: 0 } })), []);
  });

  test('what is too early to tell is not said to be unscraped', async () => {
    const early = [target({ health: 'unknown', scrapedAt: undefined })];
    for (const situation of [{ active: early }, { active: [], state: { loadedAt: NOW - 3000 } }]) {
      const { scraped, answer } = await look(situation);
      assert.deepEqual([scraped, answer], [undefined, 'cannot tell yet: ask again in a minute']);
    }
  });

  test('where another scraper may read the annotations, that Prometheus does not is no cross', async () => {
    const others = [{ name: 'Alloy in namespace monitoring', page: 'its page' }];
    const report = await look({ active: [], jobs: '- job_name: nodes\n', others });
    assert.deepEqual(ids(report), ['annotations-not-read']);
    assert.deepEqual(
      report.lines.filter(({ state }) => state === 'cross'),
      [],
    );
    assert.equal(report.scraped, undefined);
    assert.equal(
      report.answer,
      'cannot tell: Alloy in namespace monitoring was not checked (needs a look at its page)',
    );
  });

  test('a label of the target that metric_relabel_configs drops collides with nothing', async () => {
    assert.deepEqual(ids(await look({ stored: { groups: [[{ namespace: 'shop' }, 214]] } })), []);
  });

  test('a break is shown with what is so, what to do, and what was not reached', async () => {
    const report = await look({ verdict: { key: 'refused' }, active: down('connect: connection refused') });
    assert.equal(
      print(report),
      [
        'shop/orders-1',
        '  ✔ annotated by its author: http :8080/metrics',
        '  ✖ does not answer with metrics at :8080/metrics  [endpoint-refused]',
        '    Asked through the API server: Nothing takes connections there. Prometheus monitoring/p says "connect: connection refused".',
        '    → Let the app listen on all addresses, not on 127.0.0.1 alone, or write the port that it has into prometheus.io/port.',
        '  – not reached: Prometheus',
        'shop/orders-1 is not scraped: does not answer with metrics at :8080/metrics (endpoint-refused)',
        '',
      ].join('\n'),
    );
  });

  test('the line says whether autoscrape or an author annotated the pod', async () => {
    const marker = JSON.stringify({ rule: 'metrics-port', added: WRITTEN });
    const { lines } = await look({ pod: { annotations: { ...WRITTEN, 'autoscrape.io/injected': marker } } });
    assert.equal(lines[0]?.title, 'annotated by autoscrape, rule metrics-port: http :8080/metrics');
  });

  test('an annotation or a label of the pod itself is not said to be a rule', async () => {
    for (const [rule, by] of [
      ['annotation', 'its author in part, and completed by autoscrape'],
      ['label', 'autoscrape, as its label says'],
    ] as const) {
      const marker = JSON.stringify({ rule, added: { 'prometheus.io/port': '8080' } });
      const { lines } = await look({ pod: { annotations: { ...WRITTEN, 'autoscrape.io/injected': marker } } });
      assert.equal(lines[0]?.title, `annotated by ${by}: http :8080/metrics`);
    }
  });

  test('what autoscrape repeats in other dialects makes it not the one that annotated for Prometheus', async () => {
    const added = { 'k8s.grafana.com/scrape': 'true', 'k8s.grafana.com/metrics.portNumber': '8080' };
    const marker = JSON.stringify({ rule: 'annotation', added });
    const annotations = { ...WRITTEN, ...added, 'autoscrape.io/injected': marker };
    const report = await look({ pod: { annotations } });
    assert.deepEqual(ids(report), []);
    assert.equal(
      report.lines[0]?.title,
      'annotated by its author, and by autoscrape for the other dialects of its rules: http :8080/metrics',
    );
  });

  for (const key of Object.keys(VERDICTS) as (keyof typeof VERDICTS)[]) {
    test(`an answer to the API server (${key}) is no finding while Prometheus says up`, async () => {
      const verdict = key === 'metrics' ? METRICS : ({ key, status: 404 } as Verdict);
      const report = await look({ verdict });
      assert.deepEqual([ids(report), report.scraped], [[], true]);
    });
  }

  test('what perhaps only the API server cannot reach is a warning, and Prometheus has the last word', async () => {
    for (const [verdict, id] of [
      [{ key: 'timeout' }, 'endpoint-timeout'],
      [{ key: 'mesh_denied', status: 403 }, 'endpoint-mesh'],
      [{ key: 'host_refused', status: 400 }, 'endpoint-host'],
      [{ key: 'too_large', what: 'page' }, 'endpoint-too-large'],
    ] as const) {
      const report = await look({ verdict, active: [] });
      assert.deepEqual(ids(report), [id, 'target-not-discovered']);
      const isDown = await look({ verdict, active: down('context deadline exceeded') });
      assert.deepEqual(ids(isDown), ['target-timeout']);
      assert.match(print(isDown), new RegExp(`does not answer either \\(${verdict.key}\\)`));
    }
    const meshed = await look({ verdict: { key: 'reset' }, pod: { sidecar: 'istio-proxy' }, active: down('EOF') });
    assert.deepEqual(ids(meshed), ['target-closed']);
  });

  test('an annotated endpoint without metrics is no break while the pod is scraped at another', async () => {
    const report = await look({
      verdict: { key: 'not_found', status: 404 },
      active: [target({ url: 'http://10.1.2.3:9090/metrics' })],
    });
    assert.deepEqual(ids(report), ['endpoint-not-found', 'target-elsewhere']);
    assert.deepEqual([report.scraped, report.lines.some(({ state }) => state === 'cross')], [true, false]);
  });

  test('a pod without annotations that a monitor scrapes is no finding', async () => {
    const report = await look({ pod: { annotations: {} }, active: [target({ pool: 'podMonitor/shop/orders/0' })] });
    assert.deepEqual([ids(report), report.scraped], [[], true]);
  });

  test('a Prometheus that was not asked leaves the answer open, and is no cross', async () => {
    const report = await look({ scraper: { title: 'Prometheus', needs: 'list on services' } });
    assert.deepEqual([ids(report), report.scraped], [[], undefined]);
    assert.match(print(report), /– not checked: Prometheus \(needs list on services\)\nshop\/orders-1 cannot tell/);
  });

  test('a namespace that could not be read is said to be unchecked', async () => {
    const report = await look({ ...BARE, namespace: undefined });
    assert.deepEqual(report.lines[0], {
      state: 'unchecked',
      title: 'labels of namespace shop',
      needs: 'get on namespaces',
    });
  });

  test('the rule that drops the pod is quoted, with its place and what the pod has', async () => {
    const words = { pod: { ports: [], metadata: { namespace: 'shop' } }, active: [], jobs: DECLARED };
    const discovered = {
      __meta_kubernetes_pod_annotation_prometheus_io_scrape: 'true',
      __meta_kubernetes_pod_annotation_prometheus_io_port: '8080',
    };
    const report = await look({
      ...words,
      dropped: { targets: [{ pool: 'kubernetes-pods', discovered }], isCut: false },
    });
    const found = report.lines.find((line) => 'id' in line);
    assert.ok(found !== undefined && 'id' in found);
    assert.equal(found.id, 'target-dropped');
    assert.match(
      found.because,
      /the job kubernetes-pods drops it\. Rule 2 of its relabel_configs is \{action: keep_if_equal, source_labels: \[.*and the value is "8080;"/,
    );
    assert.match(found.todo, /containerPort: 8080/);
  });

  test('what is suspect of the annotations is said with the break', async () => {
    const words = { pod: { annotations: { ...WRITTEN, 'prometheus.io/port': '9999' } }, active: [] };
    const report = await look({ ...words, verdict: { key: 'refused' } });
    assert.deepEqual(ids(report), ['endpoint-refused']);
    assert.match(print(report), /Nothing takes connections there\..* 9999/);
  });

  test('what ends a double depends on who annotated the pod', async () => {
    const active = [target(), target({ pool: 'serviceMonitor/shop/orders/0' })];
    const todoWith = async (annotations: Readonly<Record<string, string>>) => {
      const { lines } = await look({ active, pod: { annotations } });
      return lines.flatMap((line) => ('id' in line && line.id === 'target-doubled' ? [line.todo] : [])).join();
    };
    const rest = '; or, where the monitor has no other pods: kubectl delete servicemonitor orders -n shop';
    assert.equal(await todoWith(WRITTEN), `take prometheus.io/scrape off the pod template${rest}`);
    const marker = JSON.stringify({ rule: 'metrics-port', added: WRITTEN });
    assert.equal(
      await todoWith({ ...WRITTEN, 'autoscrape.io/injected': marker }),
      `label the pod template autoscrape.io/inject: disabled${rest}`,
    );
    // No label takes away what an author has written, whatever autoscrape has added beside it.
    for (const added of [{ 'k8s.grafana.com/scrape': 'true' }, { 'prometheus.io/port': '8080' }]) {
      const beside = { ...WRITTEN, ...added, 'autoscrape.io/injected': JSON.stringify({ rule: 'annotation', added }) };
      assert.equal(await todoWith(beside), `take prometheus.io/scrape off the pod template${rest}`);
    }
  });

  test("an annotated Service is a double by the rules' keys, and by the usual one, which remedies take off", async () => {
    const ours = rulesOf('annotations: { scrape: example.com/scrape, port: example.com/port }');
    const annotations = { 'example.com/scrape': 'true', 'example.com/port': '8080' };
    const todoOf = async (label: string, rules?: Rules) => {
      const discovered = { __meta_kubernetes_service_name: 'orders', [label]: 'true' };
      const active = [target(), target({ pool: 'services', discovered })];
      const { lines } = await look({ active, ...(rules && { rules, pod: { annotations } }) });
      return lines.flatMap((line) => ('id' in line ? [line.todo] : [])).join();
    };
    const usual = '__meta_kubernetes_service_annotation_prometheus_io_scrape';
    const off = 'take it off the Service: kubectl annotate service orders -n shop';
    assert.equal(await todoOf(usual), `${off} prometheus.io/scrape-`);
    assert.equal(await todoOf(usual, ours), `${off} prometheus.io/scrape-`);
    assert.equal(
      await todoOf('__meta_kubernetes_service_annotation_example_com_scrape', ours),
      `${off} example.com/scrape-`,
    );
    assert.equal(
      await todoOf('__meta_kubernetes_service_annotation_example_com_scrape'),
      'Keep one of the scrape jobs.',
    );
  });

  test("remedies name the annotations by the rules' keys", async () => {
    const rules = rulesOf(
      'annotations: { scrape: example.com/scrape, port: prometheus.io/port-ours, path: example.com/path }',
    );
    const annotations = { 'example.com/scrape': 'true', 'prometheus.io/port-ours': '8080' };
    const report = await look({ rules, pod: { annotations }, active: [], verdict: { key: 'html' } });
    assert.match(print(report), /have the metrics into prometheus\.io\/port-ours and example\.com\/path\.\n/);
    const found = { port: 9000, path: '/internal', series: 3 };
    const unsaid = await look({ rules, pod: { annotations: {}, ports: [] }, active: [], found });
    assert.match(
      print(unsaid),
      /example\.com\/scrape: "true", prometheus\.io\/port-ours: "9000", example\.com\/path: \/internal/,
    );
  });

  test('a token in the address that is scraped is not printed', async () => {
    const url = 'http://10.1.2.3:8080/metrics?token=secret';
    const error = `Get "${url}": dial tcp 10.1.2.3:8080: connect: connection refused`;
    for (const situation of [
      { active: [target({ url })] },
      { active: [target(), target({ url, health: 'down', error })] },
      { active: [target({ url, health: 'unknown' })] },
      { active: [target({ url, health: 'down', error })] },
      { active: [target({ url, health: 'down', error })], verdict: { key: 'refused' } as const },
    ]) {
      const report = await look(situation);
      assert.doesNotMatch(JSON.stringify(report), /secret/);
    }
  });

  test('what a server wrote is printed as one short line of ASCII', async () => {
    const report = await look({ active: down(`\u001B[2J\n${'x'.repeat(500)}`) });
    const text = print(report);
    assert.ok(!text.includes('\u001B') && !text.includes('x'.repeat(121)));
    assert.equal(quoted('a\u001Bb'), String.raw`a\u001bb`);
    assert.ok(quoted('\n'.repeat(200)).length <= 120);
  });
});
