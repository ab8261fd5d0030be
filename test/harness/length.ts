import type { KubernetesVersion } from './control-plane/control-plane.ts';

/** The variable by which `npm run test:cluster -- --all` tells the test files to run at full length. */
export const AT_FULL_LENGTH = 'AUTOSCRAPE_TEST_ALL';

/** Whether the long tests run at full length. */
export function isAtFullLength(): boolean {
  return process.env[AT_FULL_LENGTH] === '1';
}

/** Returns the versions of Kubernetes to test on: the oldest that the chart supports only with `--all`. */
export function kubernetesVersions(): readonly KubernetesVersion[] {
  return isAtFullLength() ? ['1.37', '1.35', '1.31'] : ['1.37', '1.35'];
}

/**
 * Returns how many runs a long test makes: `usually` as part of every run of the cluster tests, `all` with `--all`, which is
 * for releases and for changes of what the test is about.
 */
export function runs({ usually, all }: { readonly usually: number; readonly all: number }): number {
  return isAtFullLength() ? all : usually;
}
