// What `autoscrape certificate` needs from the API server, as the chart grants it: to create Secrets in its namespace (RBAC
// can't hold a creation to a name), and to get and update the two that are named.
import { member, text } from '../core/json.ts';
import { secretPath, secretsPath } from '../kube/api-paths.ts';
import { openCluster } from './open-cluster.ts';
import type { Kube } from '../kube/client.ts';
import { UserError } from '../process/user-error.ts';
import { renew } from '../webhook/certificate-renewal.ts';
import type { Pem } from '../webhook/certificate-authority.ts';
import { Command, contextOption, kubeconfigOption, nonEmpty, Option } from './options.ts';
import type { OptionsOf } from './options.ts';
import { requestFailed } from './request-failed.ts';
import { examples } from './help.ts';

const flags = new Command('certificate')
  .description(
    "Makes the webhook's certificate and the CA that issues it, and stores them in Secrets; renews what has less than a third of " +
      'its time left, and changes nothing else. A job of the chart runs this.',
  )
  .addOption(
    new Option('-n, --namespace <name>', "namespace of the Secrets; defaults to the context's").argParser(nonEmpty),
  )
  .addOption(
    new Option('--secret <name>', "Secret for the webhook's tls.crt and tls.key, and for ca.crt")
      .argParser(nonEmpty)
      .makeOptionMandatory(),
  )
  .addOption(
    new Option('--ca-secret <name>', 'Secret for the CA and its key').argParser(nonEmpty).makeOptionMandatory(),
  )
  .addOption(
    new Option('--names <names>', 'comma-separated DNS names of the webhook').argParser(nonEmpty).makeOptionMandatory(),
  )
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addHelpText(
    'after',
    examples([
      'As the chart runs it',
      'autoscrape certificate --secret autoscrape-job-tls --ca-secret autoscrape-job-ca --names autoscrape-webhook.autoscrape.svc',
    ]),
  );

/** `autoscrape certificate`. */
export const command = flags.action(async (options) => {
  process.exitCode = await makeCertificate(options);
});

/** The options of `autoscrape certificate`. */
export type CertificateOptions = OptionsOf<typeof flags>;

/** Makes or renews what is due, and prints what was done. Returns the exit code, 0; throws a UserError where it fails. */
export async function makeCertificate(options: CertificateOptions): Promise<number> {
  const kube = await openCluster(options);
  try {
    const namespace = options.namespace ?? kube.namespace;
    const [caSecret, secret] = [
      await readSecret(kube, namespace, options.caSecret),
      await readSecret(kube, namespace, options.secret),
    ];
    const names = options.names.split(',').map((name) => name.trim());
    const caBundle = secret.data('ca.crt');
    const issued = renew({ ca: pairOf(caSecret), pair: pairOf(secret), caBundle }, names, Date.now());
    // The CA first: if the second request fails, the next run finds a CA whose certificate is missing.
    await write(kube, caSecret, files(issued.ca), issued.renewed.includes('ca'));
    const isNew = issued.renewed.includes('certificate') || issued.caBundle !== caBundle;
    await write(kube, secret, { ...files(issued.pair), 'ca.crt': issued.caBundle }, isNew);
    return 0;
  } finally {
    await kube.close();
  }
}

/** A Secret, there or not. */
interface Secret {
  readonly namespace: string;
  readonly name: string;
  /** Undefined where it does not exist. */
  readonly object: unknown;
  /** Returns one of its values; empty where it is missing. */
  readonly data: (key: string) => string;
}

const MANAGED_BY = 'app.kubernetes.io/managed-by';

async function readSecret(kube: Kube, namespace: string, name: string): Promise<Secret> {
  const found = await kube.request({ method: 'GET', path: secretPath(namespace, name) });
  if (!found.ok && found.error.status !== 404) throw requestFailed(`read Secret ${namespace}/${name}`, found.error);
  const object = found.ok ? found.value : undefined;
  const metadata = member(object, 'metadata');
  if (object !== undefined && member(member(metadata, 'labels'), MANAGED_BY) !== 'autoscrape') {
    throw new UserError(
      `The Secret ${namespace}/${name} was not made by autoscrape, and is not changed. Rename or delete it.`,
    );
  }
  return {
    namespace,
    name,
    object,
    data: (key) => {
      const value = text(member(member(object, 'data'), key));
      return Buffer.from(value, 'base64').toString();
    },
  };
}

function pairOf({ object, data }: Secret): Pem | undefined {
  return object === undefined ? undefined : { certificate: data('tls.crt'), key: data('tls.key') };
}

function files({ certificate, key }: Pem): Readonly<Record<string, string>> {
  return { 'tls.crt': certificate, 'tls.key': key };
}

async function write(
  kube: Kube,
  { namespace, name, object }: Secret,
  data: Readonly<Record<string, string>>,
  isNew: boolean,
): Promise<void> {
  if (!isNew) {
    console.log(`Secret ${namespace}/${name}: kept`);
    return;
  }
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')] as const);
  const body = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: {
      name,
      namespace,
      // No app.kubernetes.io/instance: Argo CD would take it for the application's own, and remove what is not in Git.
      labels: { 'app.kubernetes.io/name': 'autoscrape', [MANAGED_BY]: 'autoscrape' },
    },
    data: Object.fromEntries(encoded),
  };
  const version = member(member(object, 'metadata'), 'resourceVersion');
  const answer =
    object === undefined
      ? await kube.request({ method: 'POST', path: secretsPath(namespace), body })
      : await kube.request({
          method: 'PUT',
          path: secretPath(namespace, name),
          // Refused where somebody else has changed it meanwhile.
          body: { ...body, metadata: { ...body.metadata, resourceVersion: version } },
        });
  if (!answer.ok) throw requestFailed(`write Secret ${namespace}/${name}`, answer.error);
  console.log(`Secret ${namespace}/${name}: ${object === undefined ? 'created' : 'renewed'}`);
}
