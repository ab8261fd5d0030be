import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { CHART } from '../chart/render.ts';
import { waitFor } from '../process/wait-for.ts';
import { fresh } from './certificates.ts';
import { createOnAndOn } from './creations.ts';
import { RELEASE } from './helm.ts';
import { CREATIONS } from './setup.ts';
import type { Setup } from './setup.ts';

/** Common mistakes: the message names the mistake, and pods of opted-in namespaces are still created. */
export function badInput(): void {
  suite('bad input', () => {
    test('a value that does not exist, or is of the wrong kind, is refused with its path', async () => {
      const { helm } = await fresh();
      const refusals = [
        { args: ['--set=webhook.replica=3'], says: /replica/ },
        { args: ['--set=webhook.replicas=many'], says: /webhook[./]replicas/ },
        { args: ['--set=certificates.mode=certmanager'], says: /certificates[./]mode/ },
        { args: ['--set=rules.extend=default'], says: /extend/ },
      ];
      for (const { args, says } of refusals) {
        const { code, stderr } = await helm.run('install', RELEASE, CHART, ...args);
        assert.equal(code, 1, args.join(' '));
        assert.match(stderr, says);
      }
    });

    test('a name that is too long is refused, with the way out', async () => {
      const { helm } = await fresh();
      const { code, stderr } = await helm.run('install', 'a-name-that-is-longer-than-what-leaves-room', CHART);
      assert.equal(code, 1);
      assert.match(stderr, /Choose a shorter release name, or set fullnameOverride/);
    });

    test('an image that is not there: the install says what it waits for, the pods say why, and no pod is refused', (t) =>
      brokenInstallation(t, ['--set=image.tag=no-such-tag'], /no-such-tag/));

    test('a Secret that is missing: the same', (t) =>
      brokenInstallation(
        t,
        [
          '--set=certificates.mode=existingSecret',
          '--set=certificates.existingSecret.name=no-such-secret',
          '--set=certificates.existingSecret.injectCA=true',
        ],
        /secret "no-such-secret" not found/,
      ));
  });
}

async function brokenInstallation(t: TestContext, args: readonly string[], why: RegExp): Promise<void> {
  const opened = await fresh();
  const creator = createOnAndOn(opened.request, CREATIONS);
  try {
    const install = ['install', RELEASE, CHART, ...args, '--wait', '--timeout=20s'];
    const { code, stderr } = await opened.helm.run(...install);
    assert.equal(code, 1);
    assert.match(stderr, /autoscrape-webhook/);
    await waitFor(`an event of the pods that says ${String(why)}`, async () => why.test(await events(opened)));
  } finally {
    const { sent, refused, slowestMs } = await creator.stop();
    t.diagnostic(`${sent} pods created meanwhile, slowest ${slowestMs} ms`);
    assert.deepEqual(refused, []);
    assert.ok(sent > 0);
    await opened.helm.uninstall();
  }
}

async function events({ kubectl }: Setup): Promise<string> {
  return kubectl(['get', 'events', `--namespace=${RELEASE}`, '--output=jsonpath={.items[*].message}']);
}
