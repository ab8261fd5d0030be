import { spawnSync } from 'node:child_process';
import { component } from '../build/components.ts';
import { RELEASE } from './helm.ts';

/**
 * Returns what removes the release, and all that the steps bring, from a cluster that lives on. It does so synchronously, so
 * that it can be done at an interruption; it throws with the words of the command that fails.
 */
export async function remover(kubeconfig: string): Promise<() => void> {
  const helm = await component('helm');
  const kubectl = await component('kubectl');
  const run = (command: string, ...args: readonly string[]): void => {
    const { status, stderr } = spawnSync(command, [...args, '--kubeconfig', kubeconfig], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  };
  return () => {
    const options = ['--wait', '--timeout=2m'];
    run(helm, 'uninstall', RELEASE, '--namespace', RELEASE, '--ignore-not-found', ...options);
    run(kubectl, 'delete', 'namespace', RELEASE, '--ignore-not-found', ...options);
    const kinds = 'namespaces,clusterroles,clusterrolebindings';
    run(kubectl, 'delete', kinds, '--selector=autoscrape.io/test', ...options);
  };
}
