import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { readTarget } from '../../../../src/doctor/scraper/prometheus-targets.ts';
import { compareTimeouts, countTimeouts } from '../../../../src/doctor/scraper/timeouts.ts';
import { down, look, pod, print } from '../situation.ts';

const LATE = 'Get "http://10.1.2.3:8080/metrics": context deadline exceeded';

/** A target as Prometheus lists it: of a pod of ReplicaSet `owner` on `node`, up unless it has an error. */
function listed(node: string, owner: string, error = '') {
  return {
    health: error === '' ? 'up' : 'down',
    lastError: error,
    discoveredLabels: {
      __meta_kubernetes_namespace: 'shop',
      __meta_kubernetes_pod_name: `${owner}-1`,
      __meta_kubernetes_pod_node_name: node,
      __meta_kubernetes_pod_controller_kind: 'ReplicaSet',
      __meta_kubernetes_pod_controller_name: owner,
    },
  };
}

const ORDERS = {
  metadata: { namespace: 'shop', name: 'orders-1', ownerReferences: [{ name: 'orders', controller: true }] },
};

/** Returns what is said of the first target. */
function compared(targets: readonly ReturnType<typeof listed>[], home = 'node-p') {
  const counts = countTimeouts([ORDERS]);
  for (const one of targets) counts.add(one);
  return compareTimeouts(readTarget(targets[0]), counts, home);
}

suite('a target that times out is compared with the others', () => {
  test('all of one node, and none elsewhere: the node', () => {
    const found = compared([
      listed('a', 'orders', LATE),
      listed('a', 'cart', 'dial tcp 10.1.2.4:80: i/o timeout'),
      listed('b', 'cart'),
    ]);
    assert.equal(found?.because, 'All 2 targets on node a time out, and targets on other nodes are up.');
    assert.equal(found?.todo, 'Look at the firewall and the CNI of node a.');
  });

  test("all but those on the scraper's own node: what is between the nodes", () => {
    const found = compared([listed('a', 'orders', LATE), listed('b', 'cart', LATE), listed('node-p', 'cart')]);
    assert.equal(found?.because, 'Only targets on node node-p are up, where the scraper itself runs.');
    assert.match(found?.todo ?? '', /firewall between the nodes/);
  });

  test('one replica, or all replicas', () => {
    const one = compared([listed('a', 'orders', LATE), listed('a', 'cart'), listed('b', 'orders')]);
    assert.deepEqual(one, { because: 'Of the same ReplicaSet 1 of 2 targets are up.' });
    const all = compared([listed('a', 'orders', LATE), listed('b', 'orders', LATE), listed('a', 'cart')]);
    assert.equal(all?.because, 'All 2 targets of the same ReplicaSet time out, and other targets on this node are up.');
  });

  test('nothing is said where nothing can be compared: one node, one replica, other errors, other service discovery', () => {
    assert.equal(compared([listed('a', 'orders', LATE)]), undefined);
    assert.equal(compared([listed('a', 'orders', LATE), listed('a', 'cart', LATE)]), undefined);
    assert.equal(compared([listed('a', 'orders', LATE), listed('b', 'cart', 'EOF')]), undefined);
    assert.equal(compared([listed('', 'orders', LATE), listed('', 'cart', LATE), listed('b', 'cart')]), undefined);
  });

  test('doctor says it, with the remedy', async () => {
    const targets = [listed('a', 'orders', LATE), listed('a', 'cart', LATE), listed('b', 'cart')];
    const timeouts = countTimeouts([pod()]);
    for (const one of targets) timeouts.add(one);
    const [late] = down('context deadline exceeded');
    assert.ok(late !== undefined);
    const report = await look({
      active: [{ ...late, discovered: readTarget(targets[0]).discovered }],
      state: { timeouts },
    });
    const printed = print(report);
    assert.match(printed, /All 2 targets on node a time out, and targets on other nodes are up\./);
    assert.match(printed, /Look at the firewall and the CNI of node a\./);
  });
});
