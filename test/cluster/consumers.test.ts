import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import { readCases } from '../harness/consumers/case.ts';
import type { Case } from '../harness/consumers/case.ts';
import { CONSUMERS } from '../harness/consumers/consumer.ts';
import { discover } from '../harness/consumers/discovery.ts';
import type { Target } from '../harness/consumers/discovery.ts';
import { renderLong, renderShort, withTable } from '../harness/consumers/table.ts';
import type { Row } from '../harness/consumers/table.ts';
import { outcomeOf, predict } from '../harness/consumers/verdict.ts';
import { startControlPlane } from '../harness/control-plane/control-plane.ts';
import type { ControlPlane } from '../harness/control-plane/control-plane.ts';

// Every pod of the fixtures, after autoscrape, goes to a real API server, and Prometheus, or vmagent for VictoriaMetrics,
// computes from it what each consumer's rules would scrape. `node test/cluster/consumers.test.ts --update` writes the table into docs/consumers.md.

const PAGE = new URL('../../docs/consumers.md', import.meta.url);
const NAMESPACE = 'consumers';

suite('what each consumer scrapes', () => {
  const cases = readCases().map((subject, i) => ({
    subject,
    // Addresses for documentation (RFC 5737), which belong to nobody; nothing is ever sent to them.
    ip: subject.status.podIP ?? `192.0.2.${i + 1}`,
  }));
  let cluster: ControlPlane;
  let targets: readonly Target[] = [];
  let rows: readonly Row[] = [];

  before(async () => {
    cluster = await startControlPlane();
    await create('/api/v1/namespaces', { metadata: { name: NAMESPACE } });
    for (const { subject, ip } of cases) {
      await createPod(subject, ip);
      if (subject.service !== undefined) await createService(subject.name, subject.service, ip);
    }
    targets = await discover(cluster.kubeconfig, {
      pods: cases.map(({ subject }) => subject.name),
      finished: cases.filter(({ subject }) => subject.status.phase !== 'Running').map(({ subject }) => subject.name),
      services: cases.filter(({ subject }) => subject.service !== undefined).map(({ subject }) => subject.name),
    });
    rows = cases.map(({ subject, ip }) => toRow(subject, ip));
    process.stdout.write(`${renderLong(rows)}\n`);
  });
  after(() => cluster.stop());

  for (const { subject, ip } of cases) {
    test(`${subject.name}: one right target or none, or what an exception says`, () => {
      const predicted = CONSUMERS.map(({ name }) => [name, predict(subject, ip, name).outcome]);
      const actual = CONSUMERS.map(({ name }) => [name, outcomeOf(subject, ip, urlsOf(subject.name, name))]);
      assert.deepEqual(actual, predicted, JSON.stringify(targets.filter(({ pod }) => pod === subject.name)));
    });
  }

  test('docs/consumers.md shows this table', async () => {
    const page = await readFile(PAGE, 'utf8');
    const renewed = await withTable(page, renderShort(rows));
    if (process.argv.includes('--update')) await writeFile(PAGE, renewed);
    else assert.equal(page, renewed, 'run `node test/cluster/consumers.test.ts --update`, and look at what changed');
  });

  function toRow(subject: Case, ip: string): Row {
    return {
      pod: subject.name,
      annotated: subject.decision.outcome === 'annotate',
      cells: new Map(
        CONSUMERS.map(({ name }) => {
          const outcome = outcomeOf(subject, ip, urlsOf(subject.name, name));
          const { exception } = predict(subject, ip, name);
          return [name, { outcome, ...(exception !== undefined && { exception }) }];
        }),
      ),
    };
  }

  function urlsOf(pod: string, consumer: string): string[] {
    return targets.filter((target) => target.pod === pod && target.consumer === consumer).map(({ url }) => url);
  }

  async function create(path: string, object: object): Promise<void> {
    const { status, body } = await cluster.request('POST', path, object);
    assert.equal(status, 201, `${path}: ${body.message}`);
  }

  /** Creates the pod as autoscrape left it, and says of it what a kubelet would. */
  async function createPod({ name, pod, status }: Case, ip: string): Promise<void> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods`;
    await create(path, { ...pod, apiVersion: 'v1', kind: 'Pod', metadata: { ...pod.metadata, name } });
    const conditions = [{ type: 'Ready', status: status.ready ? 'True' : 'False' }];
    const answer = await cluster.request('PATCH', `${path}/${name}/status`, {
      status: { phase: status.phase, podIP: ip, podIPs: [{ ip }], conditions },
    });
    assert.equal(answer.status, 200, answer.body.message);
  }

  /** Creates a Service with the pod of the same name behind it; without controllers its endpoints are ours to write. */
  async function createService(name: string, annotations: Readonly<Record<string, string>>, ip: string): Promise<void> {
    const targetRef = { kind: 'Pod', name, namespace: NAMESPACE };
    await create(`/api/v1/namespaces/${NAMESPACE}/services`, {
      metadata: { name, annotations },
      spec: { selector: { app: name }, ports: [{ name: 'metrics', port: 9090 }] },
    });
    await create(`/api/v1/namespaces/${NAMESPACE}/endpoints`, {
      metadata: { name },
      subsets: [{ addresses: [{ ip, targetRef }], ports: [{ name: 'metrics', port: 9090 }] }],
    });
    await create(`/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices`, {
      metadata: { name, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [ip], targetRef, conditions: { ready: true } }],
      ports: [{ name: 'metrics', port: 9090 }],
    });
  }
});
