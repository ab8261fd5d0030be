import assert from 'node:assert/strict';
import { CHART } from '../chart/render.ts';
import type { Helm } from '../chart/render.ts';
import { runCommand } from '../../../tools/command.ts';
import type { CommandResult } from '../../../tools/command.ts';
import { component } from '../build/components.ts';

/** What the chart is installed as, unless a test says otherwise. */
export const RELEASE = 'autoscrape';

/** One of the two Helms, for one cluster; the release and its namespace are both called `autoscrape`. */
export interface HelmClient {
  readonly name: Helm;
  /** Runs a Helm command to its end, whatever its exit code is. */
  run(...args: readonly string[]): Promise<CommandResult>;
  /** Runs a Helm command and returns what it printed; throws with Helm's words when it fails or warns of a conflict. */
  succeed(...args: readonly string[]): Promise<string>;
  install(...args: readonly string[]): Promise<string>;
  upgrade(...args: readonly string[]): Promise<string>;
  /** Uninstalls the release, if there is one, and waits until its objects are gone. */
  uninstall(): Promise<void>;
}

/** Returns a Helm that works on the cluster of `kubeconfig`, on `namespace`. */
export function helmClient(name: Helm, kubeconfig: string, namespace: string = RELEASE): HelmClient {
  const run = async (...args: readonly string[]): Promise<CommandResult> =>
    runCommand(await component(name), [...args, '--kubeconfig', kubeconfig, '--namespace', namespace]);
  const succeed = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(code, 0, `helm ${args.join(' ')}: ${stderr}`);
    assert.doesNotMatch(stderr, /conflict/i);
    return stdout;
  };
  return {
    name,
    run,
    succeed,
    install: (...args) => succeed('install', RELEASE, CHART, '--create-namespace', ...args),
    upgrade: (...args) => succeed('upgrade', RELEASE, CHART, ...args),
    uninstall: async () => {
      await succeed('uninstall', RELEASE, '--ignore-not-found', '--wait', '--timeout=2m');
    },
  };
}
