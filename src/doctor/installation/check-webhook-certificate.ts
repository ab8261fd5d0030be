import type { Result } from '../../core/result.ts';
import { finding, quoted } from '../finding.ts';
import type { Line } from '../finding.ts';
import type { ServedCertificate } from './tls-handshake.ts';
import type { WebhookConfiguration } from './webhook-configuration.ts';

/** In ms. cert-manager renews a month before the end, so what ends within a week is not renewed. */
const SOON_MS = 7 * 24 * 60 * 60_000;

/** What is known of the certificate that the webhook serves. */
export interface CertificateRead {
  /** What the webhook has shown in a handshake, or what is needed for one. */
  readonly served: Result<ServedCertificate, string>;
  /** Unix time in ms at which it ends, by the webhook's own metrics; undefined where they were not read. */
  readonly ends: number | undefined;
}

/** Returns whether the API server trusts what the webhook serves. `now` is Unix time in ms. */
export function checkCertificate(
  { served, ends }: CertificateRead,
  { authorities, name, service }: WebhookConfiguration,
  now: number,
): Line {
  const configuration = `MutatingWebhookConfiguration ${name}`;
  const namespace = service?.namespace ?? 'autoscrape';
  const restart = `kubectl get certificate,secret -n ${namespace}`;
  if (authorities === '')
    return finding(
      'webhook-ca-missing',
      'the API server has no CA for the webhook',
      `${configuration} has no caBundle, so every call fails. cert-manager's cainjector fills it in.`,
      `kubectl describe certificate -n ${namespace}; then look at the log of cert-manager's cainjector.`,
    );
  const notAfter = served.ok ? served.value.notAfter : ends;
  const refused = served.ok ? served.value.refused : undefined;
  const until = notAfter === undefined ? '' : new Date(notAfter).toISOString().slice(0, 16);
  if (refused === 'CERT_HAS_EXPIRED' || (!served.ok && notAfter !== undefined && notAfter <= now))
    return finding(
      'webhook-certificate-expired',
      "the webhook's certificate has expired",
      `It was valid until ${until}Z, so every call fails.`,
      `Have it renewed: ${restart}`,
    );
  if (refused === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return finding(
      'webhook-certificate-name',
      "the webhook's certificate is for other names",
      `It has ${quoted(served.ok ? served.value.names : '')}, and the API server calls ${service?.service ?? ''}.${namespace}.svc.`,
      `Issue it for that name: ${restart}`,
    );
  if (refused !== undefined)
    return finding(
      'webhook-ca-mismatch',
      "the API server does not trust the webhook's certificate",
      `It is issued by ${quoted(served.ok ? served.value.issuer : '')}, which the caBundle of ${configuration} does not verify (${quoted(refused)}).`,
      'Put the CA that issued it into caBundle: helm upgrade does, and cert-manager where it made the certificate.',
    );
  if (notAfter !== undefined && notAfter - now < SOON_MS)
    return finding(
      'webhook-certificate-ends',
      "the webhook's certificate ends soon",
      `It is valid until ${until}Z, and nobody has renewed it.`,
      `Have it renewed: ${restart}`,
    );
  if (served.ok) return { state: 'ok', title: `the API server trusts the webhook's certificate, until ${until}Z` };
  const title = `whether the API server trusts the webhook's certificate${until === '' ? '' : `, which is valid until ${until}Z`}`;
  return { state: 'unchecked', title, needs: served.error };
}
