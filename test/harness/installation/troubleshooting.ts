import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { command } from '../../../tools/command.ts';
import { component } from '../build/components.ts';
import { PROMETHEUS } from './prometheus-pod.ts';
import { installed, getSetup } from './setup.ts';
import type { Setup } from './setup.ts';
import { readyPod } from './workload.ts';

const root = join(import.meta.dirname, '../../..');
const SAMPLE = 'autoscrape-sample';

/** The commands of docs/troubleshooting.md, and the output that it shows. */
export function troubleshooting(): void {
  suite('docs/troubleshooting.md', () => {
    test('every command prints, for the sample, what is shown', async () => {
      const opened = await getSetup();
      await installed(opened);
      // A pod that the webhook has seen, whatever started first.
      await opened.kubectl(['delete', 'pod', `--namespace=${SAMPLE}`, '--all']);
      await readyPod(opened.request, SAMPLE, 'app.kubernetes.io/component=sample');
      await opened.prometheus.upTarget({ namespace: SAMPLE });

      const env = await shell(opened);
      const [setting, ...blocks] = await commands();
      const prelude = setting?.script.replace(/^PROMETHEUS=.*$/m, `PROMETHEUS=${PROMETHEUS}`) ?? '';
      assert.ok(blocks.length >= 9, `${blocks.length} commands`);
      const printed: string[] = [];
      for (const { script } of blocks) {
        printed.push(await command('sh', ['-euc', `${prelude}\n${script}`], { cwd: opened.directory, env }));
      }
      const shown = blocks.map(({ script, output }, index) => `${script}\n${timeless(output ?? printed[index] ?? '')}`);
      assert.deepEqual(
        blocks.map(({ script }, index) => `${script}\n${timeless(printed[index] ?? '')}`),
        shown,
      );
    });
  });
}

/** An environment in which `helm`, `kubectl` and `autoscrape` are what they are in the documentation. */
async function shell({ directory, kubeconfig }: Setup): Promise<Record<string, string>> {
  const autoscrape = join(directory, 'autoscrape');
  await writeFile(autoscrape, `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'src', 'main.ts')}' "$@"\n`);
  await chmod(autoscrape, 0o755);
  const tools = [autoscrape, await component('helm'), await component('kubectl')].map(dirname);
  return { KUBECONFIG: kubeconfig, PATH: [...tools, process.env['PATH'] ?? ''].join(delimiter) };
}

/** The page's blocks of commands, each with what stands there as its output. */
async function commands(): Promise<{ script: string; output: string | undefined }[]> {
  const page = await readFile(join(root, 'docs', 'troubleshooting.md'), 'utf8');
  const blocks = page.matchAll(/^```sh\n([^]*?)^```\n(?:\n```text\n([^]*?)^```\n)?/gm);
  return [...blocks].map(([, script = '', output]) => ({ script, output }));
}

/** An output without what is different each time: names of pods, ages, moments, addresses and identities. */
function timeless(output: string): string {
  return output
    .replaceAll(/-[0-9a-f]{8,10}-[0-9a-z]{5}\b/g, '-POD')
    .replaceAll(/-[0-9a-f]{8,10}-"/g, '-"')
    .replaceAll(/"pod_template_hash":"[^"]*"/g, '"pod_template_hash":""')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UID')
    .replaceAll(/\d{4}-\d\d-\d\dT[0-9:.]+Z/g, 'TIME')
    .replaceAll(/"milliseconds":[0-9.]+/g, '"milliseconds":0')
    .replaceAll(/\[\d+(\.\d+)?,"1"\]/g, '[0,"1"]')
    .replaceAll(/\d+\.\d+\.\d+\.\d+/g, 'ADDRESS')
    .replaceAll(/(?<=caBundle|autoscrape\.io)  \S+/g, '  CERTIFICATE')
    .replaceAll(/\b(\d+[smhd])+(?=\s)/g, 'AGE')
    .replaceAll(/ +/g, ' ')
    .trim();
}
