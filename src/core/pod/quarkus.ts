import { isLoopback, readPortNumber } from './port.ts';
import { GUARDED, SWITCHED_OFF, UNREACHABLE } from './framework-says.ts';
import type { FrameworkSays } from './framework-says.ts';
import { joinPath } from './path.ts';
import { isFalse, isTrue } from './properties.ts';
import type { Properties } from './properties.ts';

/**
 * Returns what properties say about the metrics of Quarkus.
 * https://quarkus.io/guides/telemetry-micrometer#quarkus-micrometer-export-prometheus-path
 * https://quarkus.io/guides/management-interface-reference
 * https://quarkus.io/guides/all-config
 */
export function quarkus(properties: Properties): FrameworkSays {
  const enabled = properties('quarkus.micrometer.export.prometheus.enabled');
  if (isFalse(enabled) || isFalse(properties('quarkus.micrometer.enabled'))) return SWITCHED_OFF;
  if (!isTrue(enabled) && properties('quarkus.micrometer.export.prometheus.path') === undefined) return undefined;
  const isManaged = isTrue(properties('quarkus.management.enabled'));
  if (isManaged && isTrue(properties('quarkus.management.auth.enabled'))) return GUARDED;
  const server = isManaged ? 'quarkus.management' : 'quarkus.http';
  if (isLoopback(properties(`${server}.host`) ?? '')) return UNREACHABLE;
  const port = readPortNumber(properties(`${server}.port`) ?? '');
  const tls = ['ssl.certificate.files', 'ssl.certificate.key-store-file'].some(
    (name) => properties(`${server}.${name}`) !== undefined,
  );
  const isTls = tls && (isManaged || properties('quarkus.http.insecure-requests') === 'disabled');
  return {
    kind: 'found',
    port: port ?? (isManaged ? 9000 : undefined),
    defaultPort: isManaged ? 9000 : 8080,
    path: quarkusPath(properties),
    scheme: isTls ? 'https' : 'http',
    sure: true,
  };
}

/** Returns the path of the metrics. One without a leading slash is below the root of all that is not the application's, `/q`. */
export function quarkusPath(properties: Properties): string {
  const path = properties('quarkus.micrometer.export.prometheus.path') ?? 'metrics';
  if (path.startsWith('/')) return path;
  if (isTrue(properties('quarkus.management.enabled')))
    return joinPath(properties('quarkus.management.root-path') ?? '/q', `/${path}`);
  const root = properties('quarkus.http.non-application-root-path') ?? 'q';
  const above = root.startsWith('/') ? root : joinPath(properties('quarkus.http.root-path') ?? '', joinPath(root, ''));
  return joinPath(above, `/${path}`);
}
