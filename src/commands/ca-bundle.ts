// What `autoscrape ca-bundle` needs from the API server, as the chart grants it: to get and patch the one
// MutatingWebhookConfiguration that is named.
import { readFile } from 'node:fs/promises';
import { isObject, member, objectsIn } from '../core/json.ts';
import { mutatingWebhookConfigurationPath } from '../kube/api-paths.ts';
import { openCluster } from './open-cluster.ts';
import type { Kube } from '../kube/client.ts';
import { readErrorMessage } from '../process/file-error.ts';
import { UserError } from '../process/user-error.ts';
import { certificatesIn } from '../webhook/certificate-files.ts';
import { Command, contextOption, kubeconfigOption, nonEmpty, Option } from './options.ts';
import type { OptionsOf } from './options.ts';
import { requestFailed } from './request-failed.ts';
import { examples } from './help.ts';

const flags = new Command('ca-bundle')
  .description(
    'Writes a CA into every webhook of a MutatingWebhookConfiguration (caBundle), where another one or none is there. A job of the chart runs this.',
  )
  .addOption(
    new Option('--configuration <name>', 'the MutatingWebhookConfiguration').argParser(nonEmpty).makeOptionMandatory(),
  )
  .addOption(new Option('--ca-file <file>', 'certificates of the CA, in PEM').argParser(nonEmpty).makeOptionMandatory())
  .addOption(kubeconfigOption)
  .addOption(contextOption)
  .addHelpText(
    'after',
    examples([
      'As the chart runs it',
      'autoscrape ca-bundle --configuration autoscrape --ca-file /etc/autoscrape/ca/ca.crt',
    ]),
  );

/** `autoscrape ca-bundle`. */
export const command = flags.action(async (options) => {
  process.exitCode = await writeCaBundle(options);
});

/** The options of `autoscrape ca-bundle`. */
export type CaBundleOptions = OptionsOf<typeof flags>;

/** Writes the CA where it is missing, and prints what was done. Returns the exit code, 0; throws a UserError where it fails. */
export async function writeCaBundle(options: CaBundleOptions): Promise<number> {
  const ca = await readCa(options.caFile);
  const kube = await openCluster(options);
  try {
    await write(kube, options.configuration, Buffer.from(ca).toString('base64'));
    return 0;
  } finally {
    await kube.close();
  }
}

async function readCa(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UserError(readErrorMessage(file, error));
  });
  if (certificatesIn(pem).length > 0) return pem;
  throw new UserError(`${file} holds no certificate: it must begin with -----BEGIN CERTIFICATE-----`);
}

async function write(kube: Kube, name: string, caBundle: string): Promise<void> {
  const path = mutatingWebhookConfigurationPath(name);
  const found = await kube.request({ method: 'GET', path });
  if (!found.ok) throw requestFailed(`read MutatingWebhookConfiguration ${name}`, found.error);
  const webhooks = isObject(found.value) ? objectsIn(found.value, 'webhooks') : [];
  const others = webhooks.filter((webhook) => member(member(webhook, 'clientConfig'), 'caBundle') !== caBundle);
  if (others.length === 0) {
    console.log(`MutatingWebhookConfiguration ${name}: the CA is there already`);
    return;
  }
  const patched = await kube.request({
    method: 'PATCH',
    path,
    // Merges the list by name, and leaves what Helm or anybody else has set.
    contentType: 'application/strategic-merge-patch+json',
    body: { webhooks: others.map((webhook) => ({ name: member(webhook, 'name'), clientConfig: { caBundle } })) },
  });
  if (!patched.ok) throw requestFailed(`patch MutatingWebhookConfiguration ${name}`, patched.error);
  console.log(`MutatingWebhookConfiguration ${name}: the CA is written into ${others.length} webhooks`);
}
