import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../../tools/command.ts';
import type { ComponentName } from './components.ts';

// controller-runtime's convention: KUBEBUILDER_ASSETS names a folder with etcd, kube-apiserver and kubectl, such as
// `setup-envtest use -p path` prints. With one, the tests that need only a control plane run without a build.
// https://book.kubebuilder.io/reference/envtest

/** A folder of executables, each of a version that the tests can run. */
export interface KubebuilderAssets {
  /** The path of an executable, where the folder has it. */
  readonly paths: ReadonlyMap<ComponentName, string>;
  /** What they are, in a line: `kube-apiserver 1.37.2, etcd 3.7.3`. */
  readonly versions: string;
}

interface Asset {
  readonly name: ComponentName;
  readonly args: readonly string[];
  readonly oldest: string;
  readonly isNeeded: boolean;
}

const CHART = join(import.meta.dirname, '../../../chart/Chart.yaml');
/** The oldest that etcd's own project still supports. */
const OLDEST_ETCD = '3.5';

/**
 * Returns the executables of the folder that KUBEBUILDER_ASSETS names, or undefined where it isn't set. Throws a sentence
 * for people when one is missing or older than the oldest version that is supported: for Kubernetes the chart's.
 */
export async function kubebuilderAssets(
  folder = process.env['KUBEBUILDER_ASSETS'],
): Promise<KubebuilderAssets | undefined> {
  if (folder === undefined || folder === '') return undefined;
  const oldest = await oldestKubernetes();
  const assets: readonly Asset[] = [
    { name: 'kube-apiserver', args: ['--version'], oldest, isNeeded: true },
    { name: 'etcd', args: ['--version'], oldest: OLDEST_ETCD, isNeeded: true },
    { name: 'kubectl', args: ['version', '--client'], oldest, isNeeded: false },
    { name: 'kube-controller-manager', args: ['--version'], oldest, isNeeded: false },
  ];
  const paths = new Map<ComponentName, string>();
  const versions: string[] = [];
  for (const { name, args, oldest, isNeeded } of assets) {
    const path = join(folder, name);
    if (!(await isFile(path))) {
      if (isNeeded) throw new Error(`KUBEBUILDER_ASSETS=${folder} has no ${name}; unset it to have one built`);
      continue;
    }
    const version = await versionOf(path, args);
    if (compareVersions(version, oldest) < 0) {
      throw new Error(
        `KUBEBUILDER_ASSETS=${folder} has ${name} ${version}, and ${oldest} is the oldest that is supported; unset it to have a newer one built`,
      );
    }
    paths.set(name, path);
    versions.push(`${name} ${version}`);
  }
  return { paths, versions: versions.join(', ') };
}

/** The oldest Kubernetes that the chart takes, such as `1.31`. */
async function oldestKubernetes(): Promise<string> {
  const version = /^ *autoscrape\.io\/oldest-kubernetes: '([0-9]+\.[0-9]+)'/m.exec(await readFile(CHART, 'utf8'))?.[1];
  if (version === undefined) throw new Error('Chart.yaml names no oldest Kubernetes version');
  return version;
}

/** The first version in what a program prints: `Kubernetes v1.37.2`, `etcd Version: 3.7.3`, `Client Version: v1.37.2`. */
async function versionOf(path: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await runCommand(path, args);
  const version = /\b[Vv]?([0-9]+\.[0-9]+\.[0-9]+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} ${args.join(' ')} prints no version: ${stdout}${stderr}`);
  return version;
}

/** Negative where `a` is older than `b`. */
function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
}
