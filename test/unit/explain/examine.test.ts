import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { examine, examineInFull } from '../../../src/explain/examine.ts';
import { explainRecord } from '../../../src/explain/record.ts';
import { relate } from '../../../src/explain/related-objects.ts';
import { renderTable } from '../../../src/explain/table.ts';
import { renderExplanation } from '../../../src/explain/text.ts';
import { withoutOwned } from '../../../src/manifest/owners.ts';
import { readWorkloads } from '../../../src/manifest/workload.ts';
import { defaultRules } from '../../../src/rules/shipped.ts';

const rules = defaultRules();
const STYLE = { columns: 80, verbose: true, withFile: true };

const value = fc.oneof(
  { depthSize: 'small' },
  fc.constantFrom(null, '', 'web', '80', 80, true, 'true', [], {}),
  fc.jsonValue({ maxDepth: 2 }),
);
const labels = fc.oneof(
  fc.dictionary(
    fc.constantFrom('app', 'prometheus.io/scrape', 'prometheus.io/port', 'autoscrape.io/inject', 'autoscrape.io/ask'),
    fc.oneof(fc.constantFrom('true', 'web', '80'), value),
  ),
  value,
);
const metadata = fc.oneof(
  fc.record(
    {
      name: value,
      namespace: fc.constantFrom('shop', ''),
      labels,
      annotations: labels,
      ownerReferences: value,
      uid: value,
    },
    { requiredKeys: [] },
  ),
  value,
);
const port = fc.record({ name: value, containerPort: value, port: value, targetPort: value }, { requiredKeys: [] });
const container = fc.record(
  {
    name: value,
    image: fc.constantFrom('keycloak', 'app', 1),
    ports: fc.oneof(fc.array(port, { maxLength: 2 }), value),
  },
  { requiredKeys: [] },
);
const podSpec = fc.record({ containers: fc.oneof(fc.array(container, { maxLength: 2 }), value) });
const template = fc.record({ metadata, spec: podSpec }, { requiredKeys: ['spec'] });
const selector = fc.oneof(fc.record({ matchLabels: labels, matchExpressions: value }, { requiredKeys: [] }), labels);
const spec = fc.oneof(
  fc.record(
    {
      template,
      containers: fc.array(container, { maxLength: 2 }),
      replicas: value,
      selector,
      ports: fc.oneof(fc.array(port, { maxLength: 2 }), value),
      endpoints: fc.oneof(fc.array(port, { maxLength: 2 }), value),
      podMetricsEndpoints: fc.oneof(fc.array(port, { maxLength: 2 }), value),
      namespaceSelector: value,
    },
    { requiredKeys: [] },
  ),
  value,
);
const object = fc.record({
  apiVersion: fc.constantFrom('v1', 'apps/v1', 'monitoring.coreos.com/v1', 'argoproj.io/v1alpha1', 'batch/v1'),
  kind: fc.constantFrom('Pod', 'Deployment', 'Service', 'PodMonitor', 'ServiceMonitor', 'Namespace', 'Rollout', 'Job'),
  metadata,
  spec,
});

test('whatever the objects of a manifest hold, every workload gets an answer in every format', () => {
  fc.assert(
    fc.property(fc.array(object, { maxLength: 6 }), (objects) => {
      const { workloads, others } = readWorkloads(objects.map((value) => ({ value, line: 1 })));
      const { workloads: kept } = withoutOwned(workloads);
      const surroundings = { rules, related: relate(others, ''), mesh: false, defaultNamespace: '' };
      for (const workload of kept) {
        const full = examineInFull({ workload, file: 'a.yaml' }, surroundings);
        const { decision, warnings } = examine({ workload, file: 'a.yaml' }, surroundings);
        assert.deepEqual([decision, warnings], [full.decision, full.warnings]);
        assert.ok(renderExplanation(full, rules, STYLE).endsWith('\n'));
        const record = JSON.stringify(explainRecord(full, true));
        assert.ok(!record.includes('\n') && record.includes('"type":"workload"'));
        assert.equal(
          renderTable([full], { columns: 80, wide: true, withFile: true, withWarnings: false }).split('\n').length,
          3,
        );
      }
    }),
    { numRuns: 2_000 },
  );
});
