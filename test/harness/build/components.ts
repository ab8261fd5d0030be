import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, cachedFile } from '../../../tools/cache.ts';
import { goBuild } from '../../../tools/go.ts';

/** A Go module of ours, `go/<folder>`, that pins the versions of the real components built from it. */
interface Module {
  /** The module that its components come from; its version, pinned in go.mod, is theirs. Absent: our own code. */
  readonly of?: string;
  readonly tags?: string;
  /** What the linker writes into variables: without it the components call themselves `v0.0.0` or nothing. */
  readonly variables?: (version: (module: string) => string) => Readonly<Record<string, string>>;
}

interface Component {
  readonly module: keyof typeof modules;
  /** The package to build, seen from the module that it comes from. */
  readonly package: string;
  readonly executable?: string;
  /** How long a first build takes on two cores, in minutes; printed before it starts. */
  readonly minutes: number;
}

const modules = {
  'kubernetes-1.37': { of: 'k8s.io/kubernetes', variables: kubernetesVersion },
  'kubernetes-1.35': { of: 'k8s.io/kubernetes', variables: kubernetesVersion },
  'kubernetes-1.31': { of: 'k8s.io/kubernetes', variables: kubernetesVersion },
  etcd: { of: 'go.etcd.io/etcd/server/v3' },
  containerd: {
    of: 'github.com/containerd/containerd/v2',
    variables: (version) => ({
      'github.com/containerd/containerd/v2/version.Version': version('github.com/containerd/containerd/v2'),
    }),
  },
  cni: { of: 'github.com/containernetworking/plugins' },
  helm4: {
    of: 'helm.sh/helm/v4',
    variables: (version) => ({ 'helm.sh/helm/v4/internal/version.version': version('helm.sh/helm/v4') }),
  },
  helm3: {
    of: 'helm.sh/helm/v3',
    // Helm 3 renders templates without a cluster for this Kubernetes version.
    variables: (version) => ({
      'helm.sh/helm/v3/internal/version.version': version('helm.sh/helm/v3'),
      'helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor': '1',
      'helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor': version('k8s.io/client-go').split('.')[1] ?? '',
    }),
  },
  prometheus: {
    of: 'github.com/prometheus/prometheus',
    // Some discovery plugins pull in modules that can't be had; the tests need these two only.
    tags: 'remove_all_sd,enable_kubernetes_sd,enable_file_sd,netgo',
    variables: (version) => ({
      // The module's v0.316.0 is what everyone else calls 3.16.0.
      'github.com/prometheus/common/version.Version': version('github.com/prometheus/prometheus').replace(
        /^v0\.(\d+)(\d\d)\.(\d+)$/,
        (_, major: string, minor: string, patch: string) => `${major}.${Number(minor)}.${patch}`,
      ),
    }),
  },
  vmagent: {
    of: 'github.com/VictoriaMetrics/VictoriaMetrics',
    variables: (version) => ({
      'github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version': `vmagent-${version('github.com/VictoriaMetrics/VictoriaMetrics')}`,
    }),
  },
  'prometheus-operator': {
    of: 'github.com/prometheus-operator/prometheus-operator',
    variables: (version) => ({
      'github.com/prometheus/common/version.Version': version(
        'github.com/prometheus-operator/prometheus-operator',
      ).slice(1),
    }),
  },
  // The same discovery plugins as Prometheus above.
  'opentelemetry-collector': { tags: 'remove_all_sd,enable_kubernetes_sd,enable_file_sd,netgo' },
  certmanager: {},
  pause: {},
  probe: {},
  instrumented: {},
} satisfies Record<string, Module>;

const components = {
  etcd: { module: 'etcd', package: '', minutes: 1, executable: 'etcd' },
  'kube-apiserver': { module: 'kubernetes-1.37', package: '/cmd/kube-apiserver', minutes: 5 },
  'kube-controller-manager': { module: 'kubernetes-1.37', package: '/cmd/kube-controller-manager', minutes: 2 },
  kubectl: { module: 'kubernetes-1.37', package: '/cmd/kubectl', minutes: 1 },
  'kube-scheduler': { module: 'kubernetes-1.37', package: '/cmd/kube-scheduler', minutes: 1 },
  kubelet: { module: 'kubernetes-1.37', package: '/cmd/kubelet', minutes: 1 },
  'kube-proxy': { module: 'kubernetes-1.37', package: '/cmd/kube-proxy', minutes: 1 },
  promtool: { module: 'prometheus', package: '/cmd/promtool', minutes: 4 },
  prometheus: { module: 'prometheus', package: '/cmd/prometheus', minutes: 1 },
  containerd: { module: 'containerd', package: '/cmd/containerd', minutes: 2 },
  'containerd-shim-runc-v2': { module: 'containerd', package: '/cmd/containerd-shim-runc-v2', minutes: 1 },
  ctr: { module: 'containerd', package: '/cmd/ctr', minutes: 1 },
  'cni-ptp': { module: 'cni', package: '/plugins/main/ptp', minutes: 1, executable: 'ptp' },
  'cni-host-local': { module: 'cni', package: '/plugins/ipam/host-local', minutes: 1, executable: 'host-local' },
  pause: { module: 'pause', package: '.', minutes: 1 },
  probe: { module: 'probe', package: '.', minutes: 1 },
  instrumented: { module: 'instrumented', package: '.', minutes: 1 },
  vmagent: { module: 'vmagent', package: '/app/vmagent', minutes: 1 },
  helm: { module: 'helm4', package: '/cmd/helm', minutes: 2 },
  certmanager: { module: 'certmanager', package: '.', minutes: 2 },
  'helm-3': { module: 'helm3', package: '/cmd/helm', minutes: 2, executable: 'helm' },
  'kube-apiserver-1.35': {
    module: 'kubernetes-1.35',
    package: '/cmd/kube-apiserver',
    minutes: 4,
    executable: 'kube-apiserver',
  },
  'kube-apiserver-1.31': {
    module: 'kubernetes-1.31',
    package: '/cmd/kube-apiserver',
    minutes: 4,
    executable: 'kube-apiserver',
  },
  'prometheus-operator': {
    module: 'prometheus-operator',
    package: '/cmd/operator',
    minutes: 4,
    executable: 'operator',
  },
  'opentelemetry-collector': { module: 'opentelemetry-collector', package: '.', minutes: 4 },
} satisfies Record<string, Component>;

/** A real component that the cluster tests run. */
export type ComponentName = keyof typeof components;

/** What only the long tests need. */
export const forLongTests: readonly ComponentName[] = [
  'kube-apiserver-1.31',
  'prometheus-operator',
  'opentelemetry-collector',
];

/** Every component, in the order that builds what most tests need first. */
export const componentNames: readonly ComponentName[] = Object.keys(components).filter(isComponentName);

/**
 * Returns the path of a component's executable, built from Go modules at pinned versions on first use and kept outside the
 * checkout. Executables of one module lie in one folder: containerd and CNI look for each other's by name.
 */
export async function component(name: ComponentName): Promise<string> {
  const { executable = name, minutes, module: folder, package: path }: Component = components[name];
  const module: Module = modules[folder];
  const directory = join(import.meta.dirname, 'go', folder);
  const goMod = await readFile(join(directory, 'go.mod'), 'utf8');
  const version = module.of === undefined ? undefined : requiredVersion(goMod, module.of);
  const variables = module.variables?.((name) => requiredVersion(goMod, name)) ?? {};
  const ldflags = ['-s -w', ...Object.entries(variables).map(([name, value]) => `-X ${name}=${value}`)].join(' ');

  const sources = module.of === undefined ? ['main.go'] : [];
  const sum = await Promise.all(['go.sum', ...sources].map((file) => readIfThere(join(directory, file))));
  const key = createHash('sha256')
    .update(JSON.stringify([goMod, sum, ldflags, module.tags, process.platform, process.arch]))
    .digest('hex')
    .slice(0, 12);
  return cachedFile(join(cacheFolder(), `${folder}-${key}`, executable), (output) =>
    goBuild({
      directory,
      what: version === undefined ? name : `${executable} ${version.replace(/^v/, '')}`,
      package: `${module.of ?? ''}${path}`,
      ldflags,
      tags: module.tags ?? '',
      minutes,
      output,
    }),
  );
}

/** Builds components one after another and returns their paths: tests that need many ask before their clock runs. */
export async function prebuild(names: readonly ComponentName[]): Promise<string[]> {
  const paths: string[] = [];
  for (const name of names) paths.push(await component(name));
  return paths;
}

function kubernetesVersion(version: (module: string) => string): Record<string, string> {
  const gitVersion = version('k8s.io/kubernetes');
  const [major = '', minor = ''] = gitVersion.replace(/^v/, '').split('.');
  return Object.fromEntries(
    ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) => [
      [`${path}.gitVersion`, gitVersion],
      [`${path}.gitMajor`, major],
      [`${path}.gitMinor`, minor],
    ]),
  );
}

/** Returns the version of a module that one of our Go modules, a folder of `go/`, pins. */
export async function pinnedVersion(folder: keyof typeof modules, module: string): Promise<string> {
  return requiredVersion(await readFile(join(import.meta.dirname, 'go', folder, 'go.mod'), 'utf8'), module);
}

function requiredVersion(goMod: string, module: string): string {
  const line = goMod.split('\n').find((line) =>
    line
      .replace(/^require/, '')
      .trimStart()
      .startsWith(`${module} v`),
  );
  const version = line?.match(/ (v\S+)/)?.[1];
  if (version === undefined) throw new Error(`go.mod doesn't require ${module}; pin its version there`);
  return version;
}

async function readIfThere(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

function isComponentName(name: string): name is ComponentName {
  return Object.hasOwn(components, name);
}

if (import.meta.main) {
  try {
    const asked = process.argv.slice(2);
    const unknown = asked.filter((name) => !isComponentName(name));
    if (unknown.length > 0) {
      throw new Error(`no such component: ${unknown.join(', ')}; there are ${componentNames.join(', ')}`);
    }
    for (const name of asked.length > 0 ? asked.filter(isComponentName) : componentNames) {
      process.stdout.write(`${await component(name)}\n`);
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
