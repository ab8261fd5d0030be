import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { command } from '../../../tools/command.ts';
import { component } from '../build/components.ts';
import { fresh } from './certificates.ts';
import { readyPod } from './workload.ts';

const root = join(import.meta.dirname, '../../..');

/** What the README tells people to type. */
export function readme(): void {
  suite('the README', () => {
    test('gets from nothing to a scraped, unchanged workload with its three commands, typed as they stand there', async (t) => {
      const opened = await fresh();
      await opened.kubectl(['delete', 'namespace', 'autoscrape', '--timeout=2m']);
      const script = await installation();
      const commands = script.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      assert.equal(commands.length, 3, script);
      const tools = [await component('helm'), await component('kubectl')].map(dirname);
      const env = { KUBECONFIG: opened.kubeconfig, PATH: [...tools, process.env['PATH'] ?? ''].join(delimiter) };
      try {
        await command('sh', ['-euxc', script], { cwd: root, env });
        const { scrapeUrl } = await opened.prometheus.upTarget({ namespace: 'default' });
        t.diagnostic(scrapeUrl);
        const { annotations } = await readyPod(opened.request, 'default', 'app=sample');
        assert.equal(annotations['prometheus.io/port'], '8000');
      } finally {
        await opened.helm.uninstall();
        await opened.kubectl(['delete', '--filename', join(root, 'examples', 'sample.yaml'), '--ignore-not-found']);
        await opened.kubectl(['label', 'namespace', 'default', 'autoscrape.io/inject-']);
      }
    });
  });
}

/** The first block of commands in the README's section about installing. */
async function installation(): Promise<string> {
  const text = await readFile(join(root, 'README.md'), 'utf8');
  const [, block] = /^## Install it\n(?:(?!^## )[^])*?^```sh\n([^]*?)^```$/m.exec(text) ?? [];
  assert.ok(block !== undefined, 'the README has no block of commands under "Install it"');
  return block;
}
