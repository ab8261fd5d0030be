/** The variable by which `npm run test:cluster -- --all` tells the test files to run at full length. */
export const AT_FULL_LENGTH = 'AUTOSCRAPE_TEST_ALL';

/**
 * Returns how many runs a long test makes: `usually` as part of every run of the cluster tests, `all` with `--all`, which is
 * for releases and for changes of what the test is about.
 */
export function runs({ usually, all }: { readonly usually: number; readonly all: number }): number {
  return process.env[AT_FULL_LENGTH] === '1' ? all : usually;
}
