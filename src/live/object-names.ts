import type { Result } from '../core/result.ts';

/** A kind whose objects create pods, or are pods. */
export interface LiveKind {
  readonly apiVersion: string;
  readonly kind: string;
  /** The name of its collection in the API, such as `deployments`. */
  readonly plural: string;
  /** What kubectl calls it for short. */
  readonly short: string;
}

/** Kubernetes' own kinds that create pods. */
export const LIVE_KINDS: readonly LiveKind[] = [
  { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments', short: 'deploy' },
  { apiVersion: 'apps/v1', kind: 'StatefulSet', plural: 'statefulsets', short: 'sts' },
  { apiVersion: 'apps/v1', kind: 'DaemonSet', plural: 'daemonsets', short: 'ds' },
  { apiVersion: 'batch/v1', kind: 'CronJob', plural: 'cronjobs', short: 'cj' },
  { apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs', short: 'job' },
  { apiVersion: 'apps/v1', kind: 'ReplicaSet', plural: 'replicasets', short: 'rs' },
  { apiVersion: 'v1', kind: 'ReplicationController', plural: 'replicationcontrollers', short: 'rc' },
  { apiVersion: 'v1', kind: 'Pod', plural: 'pods', short: 'po' },
];

/** An object of the cluster, or without a name all of its kind. */
export interface ObjectName {
  readonly kind: LiveKind;
  readonly name: string | undefined;
}

/**
 * Returns the objects that arguments name as kubectl has it: `deploy/shop sts/db`, `deploy shop`, `deploy,sts`. A sentence
 * where one looks like an object and can't be read; undefined where the first is none, and so perhaps a file.
 */
export function readObjectNames(words: readonly string[]): Result<readonly ObjectName[], string> | undefined {
  const [first = '', ...names] = words;
  if (!first.includes('/')) {
    const kinds = first.split(',').map(kindOf);
    if (kinds.some((kind) => kind === undefined)) return undefined;
    const known = kinds.filter((kind) => kind !== undefined);
    const wrong = names.find((name) => !NAME.test(name));
    if (wrong !== undefined) return failed(`${wrong}: give names below one kind, or each object as ${first}/NAME`);
    return {
      ok: true,
      value: known.flatMap((kind): ObjectName[] =>
        names.length === 0 ? [{ kind, name: undefined }] : names.map((name) => ({ kind, name })),
      ),
    };
  }
  if (!OBJECT.test(first) || FILE.test(first)) return undefined;
  const objects: ObjectName[] = [];
  for (const word of words) {
    const [, kindWord = '', name = ''] = OBJECT.exec(word) ?? [];
    if (name === '' || FILE.test(word))
      return failed(`${word}: give files or objects such as deploy/shop, and not both`);
    if (/^(?:ns|namespaces?)$/i.test(kindWord))
      return failed(`${word}: autoscrape explain -n ${name} reads a namespace`);
    const kind = kindOf(kindWord);
    if (kind === undefined) return failed(`${word}: ${unknown(kindWord, word)}`);
    objects.push({ kind, name });
  }
  return { ok: true, value: objects };
}

const NAME = /^[a-z0-9][a-z0-9.-]*$/;
const OBJECT = /^([A-Za-z]+(?:\.[a-z0-9.-]+)?)\/([a-z0-9][a-z0-9.-]*)$/;
const FILE = /\.(?:ya?ml|json)$/;

/** Returns the kind that kubectl would take a word for, or undefined where it is none of these: `po`, `Pod`, `pods`, `deployments.apps`, `deployments.v1.apps`. */
export function kindOf(word: string): LiveKind | undefined {
  const [called = '', ...group] = word.toLowerCase().split('.');
  return LIVE_KINDS.find(({ apiVersion, kind, plural, short }) => {
    if (called !== short && called !== plural && called !== kind.toLowerCase()) return false;
    const [of = '', version = ''] = apiVersion.split('/');
    const written = group.join('.');
    return written === '' || written === of || (version !== '' && written === `${version}.${of}`);
  });
}

function unknown(kind: string, word: string): string {
  const known = LIVE_KINDS.map(({ short }) => short).join(', ');
  return (
    `no such file or folder, and ${kind} is none of the kinds that are read from a cluster (${known}). ` +
    `Of others: kubectl get ${word} -o yaml | autoscrape explain -f -`
  );
}

function failed(error: string): Result<never, string> {
  return { ok: false, error };
}
