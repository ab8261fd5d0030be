import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { reconcile } from '../../src/commands/reconcile.ts';
import type { ReconcileOptions } from '../../src/commands/reconcile.ts';
import { uninject } from '../../src/commands/uninject.ts';
import type { UninjectOptions } from '../../src/commands/uninject.ts';
import { UserError } from '../../src/user-error.ts';
import { runAutoscrape } from './run-autoscrape.ts';

const folder = mkdtempSync(join(tmpdir(), 'autoscrape-reconcile-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

// Nothing listens on port 1, so the API server is away.
const away = file(
  'away',
  JSON.stringify({
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  }),
);
const wrongRules = file('rules.yaml', 'rulez: []\n');

const once: ReconcileOptions = {
  once: true,
  dryRun: false,
  output: 'text',
  removeOnOptOut: false,
  patchesPerSecond: 20,
  leaseName: 'autoscrape-reconciler',
  healthPort: 0,
  logLevel: 'info',
};
const undo: UninjectOptions = { allNamespaces: false, dryRun: false, output: 'text', patchesPerSecond: 20 };

// In this process, because loading the Kubernetes client takes longer than everything else in these tests.
const failures: readonly [what: string, run: () => Promise<number>, message: RegExp][] = [
  ['a kubeconfig that is not there', () => reconcile({ ...once, kubeconfig: '/nowhere' }), /Cannot read \/nowhere/],
  ['a context that is not there', () => reconcile({ ...once, kubeconfig: away, context: 'y' }), /No context "y"/],
  [
    'an API server that is away',
    () => reconcile({ ...once, kubeconfig: away }),
    /namespaces can't be read: no answer from https:\/\/127\.0\.0\.1:1: /,
  ],
  [
    'rules that are wrong',
    () => reconcile({ ...once, kubeconfig: away, rules: wrongRules }),
    /rules\.yaml:1:1.*rulez/s,
  ],
  [
    'an API server that is away, for uninject',
    () => uninject({ ...undo, kubeconfig: away }),
    /namespaces can't be read/,
  ],
  [
    'one namespace and all of them',
    () => uninject({ ...undo, kubeconfig: away, allNamespaces: true, namespace: 'shop' }),
    /either --namespace or --all-namespaces/,
  ],
];
for (const [what, run, message] of failures) {
  test(`${what}: an error for the user that says so`, async () => {
    await assert.rejects(run, (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, message);
      return true;
    });
  });
}

const misuses: readonly [args: readonly string[], message: RegExp][] = [
  [['reconcile', '--patches-per-second', '0'], /whole number from 1 to 1000/],
  [['reconcile', '--once', '-o', 'table'], /text, json, yaml/],
  [['uninject', '--once'], /unknown option '--once'/],
];
for (const [args, message] of misuses) {
  test(`${args.join(' ')}: usage, and exit code 2`, async () => {
    const { code, stdout, stderr } = await runAutoscrape(args);
    assert.match(stderr, message);
    assert.deepEqual([code, stdout], [2, '']);
  });
}
