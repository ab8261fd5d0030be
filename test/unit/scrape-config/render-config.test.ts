import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { DEFAULT_KEYS } from '../../../src/core/annotations/scrape-keys.ts';
import { labelOf, podJobs } from '../../../src/scrape-config/jobs.ts';
import { renderConfig, SCRAPERS } from '../../../src/scrape-config/render-config.ts';

// test/cluster/several-endpoints.test.ts has the real scrapers scrape with these configurations.

const JOBS = podJobs(DEFAULT_KEYS);

interface PrometheusJobs {
  readonly scrape_configs: readonly { readonly job_name: string; readonly relabel_configs: readonly object[] }[];
}

/** The values that k8s-monitoring has had since version 4. */
interface AlloyValues {
  readonly annotationAutodiscovery: { readonly collector: string };
  readonly collectors: Readonly<Record<string, { readonly extraConfig: string }>>;
}

test('there is a job for each endpoint that a pod may have, and only the further ones compare ports', () => {
  assert.deepEqual(
    JOBS.map(({ slot }) => slot),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  for (const { slot, relabelings } of JOBS) {
    const compares = relabelings.filter(({ action }) => action === 'keepequal').map(({ sourceLabels }) => sourceLabels);
    assert.deepEqual(compares, slot === 1 ? [] : [[`${labelOf(DEFAULT_KEYS.port)}_${slot}`]]);
  }
});

test('each configuration says in its first line where it belongs', () => {
  for (const scraper of SCRAPERS) assert.match(renderConfig(scraper, DEFAULT_KEYS, false), /^(?:#|\/\/) (?:Into|For) /);
  for (const scraper of ['prometheus', 'victoria-metrics', 'alloy'] as const)
    assert.match(renderConfig(scraper, DEFAULT_KEYS, true), /^# Values of the chart /);
});

test('the annotation keys of the rules file are those that are read', () => {
  const keys = { ...DEFAULT_KEYS, port: 'metrics.example.com/port' };
  for (const scraper of SCRAPERS) {
    const text = renderConfig(scraper, keys, false);
    assert.match(text, /__meta_kubernetes_pod_annotation_metrics_example_com_port_8/);
    assert.doesNotMatch(text, /prometheus_io_port/);
  }
});

test('what a chart reads by itself is not in its values, so that nothing is scraped twice', () => {
  const prometheus: { extraScrapeConfigs: string } = parse(renderConfig('prometheus', DEFAULT_KEYS, true));
  const vmagent: { extraScrapeConfigs: readonly object[] } = parse(
    renderConfig('victoria-metrics', DEFAULT_KEYS, true),
  );
  assert.equal((parse(prometheus.extraScrapeConfigs) as readonly object[]).length, 7);
  assert.equal(vmagent.extraScrapeConfigs.length, 7);
  const alloy: AlloyValues = parse(renderConfig('alloy', DEFAULT_KEYS, true));
  const collector = alloy.collectors[alloy.annotationAutodiscovery.collector];
  assert.equal(collector?.extraConfig.match(/^prometheus\.scrape /gm)?.length, 7);
  assert.equal(parseAllDocuments(renderConfig('operator', DEFAULT_KEYS, false)).length, 8);
});

test('vmagent gets the names that it has for comparing labels', () => {
  const { scrape_configs: jobs }: PrometheusJobs = parse(renderConfig('victoria-metrics', DEFAULT_KEYS, false));
  const port = `${labelOf(DEFAULT_KEYS.port)}_2`;
  assert.deepEqual(jobs[1]?.relabel_configs.slice(3, 5), [
    { source_labels: [labelOf(DEFAULT_KEYS.port), port], action: 'drop_if_equal' },
    { source_labels: [port, '__meta_kubernetes_pod_container_port_number'], action: 'keep_if_equal' },
  ]);
});

/** Reads the rules of a discovery.relabel back. Alloy's strings are JSON's. */
function readRules(block: string): readonly unknown[] {
  return [...block.matchAll(/ {2}rule \{\n(?<fields>(?: {4}.*\n)*) {2}\}/g)].map(({ groups }) => {
    const fields = [...(groups?.['fields'] ?? '').matchAll(/^ {4}(\w+) += (.*)$/gm)];
    const {
      source_labels: sourceLabels,
      target_label: targetLabel,
      ...others
    } = Object.fromEntries(fields.map(([, key = '', value = '']) => [key, JSON.parse(value)]));
    return {
      ...(sourceLabels !== undefined && { sourceLabels }),
      ...(targetLabel !== undefined && { targetLabel }),
      ...others,
    };
  });
}

test("Alloy's components have the rules of the jobs, one discovery, and a scrape for each", () => {
  const text = renderConfig('alloy', DEFAULT_KEYS, false);
  assert.equal(text.match(/^discovery\.kubernetes /gm)?.length, 1);
  const blocks = text.split(/^(?=discovery\.relabel )/m).slice(1);
  assert.deepEqual(
    blocks.map(readRules),
    JOBS.map(({ relabelings }) => relabelings),
  );
  for (const block of blocks) {
    const name = /^discovery\.relabel "(\w+)"/.exec(block)?.[1];
    assert.match(block, new RegExp(`targets += discovery\\.relabel\\.${name}\\.output\\n`));
    // Else each Alloy of a cluster scrapes every target.
    assert.match(block, /\n {2}clustering \{\n {4}enabled = true\n {2}\}\n\}\n/);
  }
});
