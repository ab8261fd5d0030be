import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { stringify } from 'yaml';
import { isObject, objectsIn } from '../../../src/core/json.ts';
import { runCommand } from '../../../tools/command.ts';
import { MAIN } from '../autoscrape/run-autoscrape.ts';
import { prometheusOperatorCrds } from '../build/crds.ts';
import { at } from '../chart/render.ts';
import { installed, getSetup } from './setup.ts';

/** The resources that kubectl prints: what `all` stands for, and what tells whether pods are annotated and scraped. */
const RESOURCES = 'namespaces,all,servicemonitors';

/** As many objects as a middle-sized cluster has. */
const MANY = 500;

/** What kubectl prints of the node, piped into `explain`. */
export function explainPiped(): void {
  suite(`kubectl get ${RESOURCES} -A -o yaml | autoscrape explain`, () => {
    test("has each workload once, with its namespace's opt-in", async (t) => {
      const opened = await getSetup();
      await installed(opened);
      const crds = join(await prometheusOperatorCrds(), 'monitoring.coreos.com_servicemonitors.yaml');
      await opened.kubectl(['apply', '--server-side', '--filename', crds]);
      t.after(() => opened.kubectl(['delete', '--filename', crds]));
      await opened.kubectl(['wait', '--for=condition=Established', '--filename', crds]);
      await opened.kubectl(['apply', '--filename=-'], JSON.stringify(MONITOR));

      const yaml = await opened.kubectl(['get', RESOURCES, '--all-namespaces', '--output=yaml']);
      const json: unknown = JSON.parse(await opened.kubectl(['get', RESOURCES, '--all-namespaces', '--output=json']));
      const objects = isObject(json) ? objectsIn(json, 'items') : [];
      const optedIn = new Map(
        objects
          .filter(({ kind }) => kind === 'Namespace')
          .map((one) => [
            at(one, 'metadata', 'name'),
            at(one, 'metadata', 'labels', 'autoscrape.io/inject') === 'enabled',
          ]),
      );
      const wanted = objects.filter(makesPods).map((one) => {
        const namespace = at(one, 'metadata', 'namespace');
        return nameOf(one, namespace, at(one, 'metadata', 'name'), optedIn.get(namespace) === true);
      });
      assert.ok(wanted.some((line) => line.endsWith('opted in')) && wanted.some((line) => line.endsWith('not')));

      const explained = await explain(yaml, '-o', 'json');
      const records = explained.stdout
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line));
      const found = records
        .filter((record) => at(record, 'type') === 'workload')
        .map((one) => nameOf(one, at(one, 'namespace'), at(one, 'name'), at(one, 'namespaceOptIn') === 'yes'));
      assert.deepEqual(found.toSorted(), wanted.toSorted());
      assert.ok(
        records.some((record) => at(record, 'kind') === 'ServiceMonitor' && at(record, 'type') === 'passed_over'),
      );

      const copies = Array.from({ length: Math.ceil(MANY / objects.length) }, () => objects).flat();
      const input = stringify({ apiVersion: 'v1', kind: 'List', items: copies.slice(0, MANY) });
      const started = performance.now();
      const many = await explain(input);
      assert.equal(many.code, 0);
      t.diagnostic(
        `${wanted.length} workloads of ${objects.length} objects; ${MANY} objects: ${((performance.now() - started) / 1000).toFixed(2)} s`,
      );
    });
  });
}

/** A monitor whose selector finds the sample. */
const MONITOR = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'ServiceMonitor',
  metadata: { name: 'sample', namespace: 'autoscrape-sample' },
  spec: { selector: { matchLabels: { 'app.kubernetes.io/name': 'autoscrape' } }, endpoints: [{ port: 'http' }] },
};

/** Returns what identifies a workload, and whether its namespace has opted in. */
function nameOf(one: unknown, namespace: unknown, name: unknown, isOptedIn: boolean): string {
  return `${String(at(one, 'kind'))} ${String(namespace)}/${String(name)}: ${isOptedIn ? 'opted in' : 'not'}`;
}

/** Whether an object has pods, and nothing else in the list makes it. */
function makesPods(object: unknown): boolean {
  const isKind = ['Pod', 'Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet', 'Job', 'CronJob'].includes(
    String(at(object, 'kind')),
  );
  return isKind && at(object, 'metadata', 'ownerReferences') === undefined;
}

function explain(input: string, ...flags: readonly string[]) {
  return runCommand(process.execPath, [MAIN, 'explain', ...flags], { stdin: input });
}
