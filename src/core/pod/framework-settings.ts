import { isLoopback, readPortNumber } from './port.ts';
import type { NoEndpoint } from '../skip-reason.ts';
import { isPlainPath, joinPath } from './path.ts';
import type { Properties } from './properties.ts';

// What the settings of frameworks say about their metrics. Each function names the page where it is
// said.

/** The frameworks whose settings are read. */
export const FRAMEWORKS = ['spring-boot', 'micronaut', 'quarkus', 'opentelemetry'] as const;
export type Framework = (typeof FRAMEWORKS)[number];

/** What the settings say. */
export type FrameworkSays =
  | {
      readonly kind: 'found';
      /** The port that they state; undefined where they state none. */
      readonly port: number | undefined;
      /** The port without a setting. */
      readonly defaultPort: number;
      readonly path: string;
      readonly scheme: 'http' | 'https';
      /** Whether they leave no doubt that there are metrics; the port may still be unknown. */
      readonly sure: boolean;
    }
  | { readonly kind: 'off'; readonly reason: NoEndpoint }
  /** They say nothing about metrics. */
  | undefined;

/** Returns what the properties say about the metrics of the framework. */
export function readFramework(framework: Framework, properties: Properties): FrameworkSays {
  const read = READERS[framework](properties);
  return read?.kind === 'found' && !isPlainPath(read.path) ? undefined : read;
}

const READERS: Readonly<Record<Framework, (properties: Properties) => FrameworkSays>> = {
  'spring-boot': springBoot,
  micronaut,
  quarkus,
  opentelemetry,
};

/**
 * https://docs.spring.io/spring-boot/reference/actuator/endpoints.html#actuator.endpoints.exposing
 * https://docs.spring.io/spring-boot/reference/actuator/monitoring.html
 * https://docs.spring.io/spring-boot/appendix/application-properties/index.html
 */
function springBoot(properties: Properties): FrameworkSays {
  const included = properties('management.endpoints.web.exposure.include');
  const exported =
    properties('management.prometheus.metrics.export.enabled') ??
    properties('management.metrics.export.prometheus.enabled');
  const stated = properties('management.server.port');
  const isNamed = lists(included, 'prometheus') || isTrue(exported);
  if (!isNamed && !lists(included, '*') && stated === undefined) return undefined;
  if (isFalse(exported) || stated === '-1') return SWITCHED_OFF;
  const excluded = properties('management.endpoints.web.exposure.exclude');
  if (lists(excluded, 'prometheus') || lists(excluded, '*')) return SWITCHED_OFF;

  const serverPort = readPortNumber(properties('server.port') ?? '');
  const port = readPortNumber(stated ?? '') ?? serverPort;
  const isSeparate = isSpringSeparate(properties);
  const address = properties(isSeparate ? 'management.server.address' : 'server.address');
  if (address !== undefined && isLoopback(address)) return UNREACHABLE;
  const tls = ['server.ssl.key-store', 'server.ssl.certificate', 'server.ssl.bundle'].some(
    (name) => properties(name) !== undefined,
  );
  const serverTls = isTrue(properties('server.ssl.enabled')) || (tls && !isFalse(properties('server.ssl.enabled')));
  const managementTls = properties('management.server.ssl.enabled');
  const isTls = isSeparate && managementTls !== undefined ? isTrue(managementTls) : serverTls;
  return {
    kind: 'found',
    port,
    defaultPort: 8080,
    path: springPath(properties, isSeparate),
    scheme: isTls ? 'https' : 'http',
    sure: isNamed,
  };
}

/** Returns whether Actuator has a port of its own, where the application's context path does not count. */
function isSpringSeparate(properties: Properties): boolean {
  const port = properties('management.server.port');
  return port !== undefined && port !== (properties('server.port') ?? '8080');
}

function springPath(properties: Properties, isSeparate: boolean): string {
  const context = isSeparate
    ? (properties('management.server.base-path') ?? properties('management.server.servlet.context-path'))
    : (properties('server.servlet.context-path') ?? properties('spring.webflux.base-path'));
  const base = properties('management.endpoints.web.base-path') ?? '/actuator';
  const endpoint = properties('management.endpoints.web.path-mapping.prometheus') ?? 'prometheus';
  return joinPath(context ?? '', joinPath(base, joinPath(endpoint, '')));
}

/**
 * The endpoint `prometheus` has Prometheus' format; `metrics` is JSON.
 * https://micronaut-projects.github.io/micronaut-micrometer/latest/guide/#metricsAndReportersPrometheus
 * https://docs.micronaut.io/latest/guide/configurationreference.html
 */
function micronaut(properties: Properties): FrameworkSays {
  const enabled = properties('micronaut.metrics.export.prometheus.enabled');
  if (enabled === undefined) return undefined;
  if (!isTrue(enabled) || isFalse(properties('micronaut.metrics.enabled'))) return SWITCHED_OFF;
  const isOpen = isFalse(properties('endpoints.prometheus.sensitive') ?? properties('endpoints.all.sensitive'));
  if (isTrue(properties('micronaut.security.enabled')) && !isOpen) return GUARDED;
  const port = properties('endpoints.all.port') ?? properties('micronaut.server.port');
  const context = properties('micronaut.server.context-path') ?? '';
  return {
    kind: 'found',
    port: readPortNumber(port ?? ''),
    defaultPort: 8080,
    path: joinPath(context, joinPath(properties('endpoints.all.path') ?? '', '/prometheus')),
    scheme: isTrue(properties('micronaut.server.ssl.enabled')) ? 'https' : 'http',
    sure: true,
  };
}

/**
 * https://quarkus.io/guides/telemetry-micrometer#quarkus-micrometer-export-prometheus-path
 * https://quarkus.io/guides/management-interface-reference
 * https://quarkus.io/guides/all-config
 */
function quarkus(properties: Properties): FrameworkSays {
  const enabled = properties('quarkus.micrometer.export.prometheus.enabled');
  if (isFalse(enabled) || isFalse(properties('quarkus.micrometer.enabled'))) return SWITCHED_OFF;
  if (!isTrue(enabled) && properties('quarkus.micrometer.export.prometheus.path') === undefined) return undefined;
  const isManaged = isTrue(properties('quarkus.management.enabled'));
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

/** A path without a leading slash is below the root of all that is not the application's, `/q`. */
function quarkusPath(properties: Properties): string {
  const path = properties('quarkus.micrometer.export.prometheus.path') ?? 'metrics';
  if (path.startsWith('/')) return path;
  if (isTrue(properties('quarkus.management.enabled')))
    return joinPath(properties('quarkus.management.root-path') ?? '/q', `/${path}`);
  const root = properties('quarkus.http.non-application-root-path') ?? 'q';
  const above = root.startsWith('/') ? root : joinPath(properties('quarkus.http.root-path') ?? '', joinPath(root, ''));
  return joinPath(above, `/${path}`);
}

/**
 * The default of the host is localhost in the specification and in Go and Python, and every
 * interface in Java and JavaScript, so that without a host the port must be declared to leave no
 * doubt.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#prometheus-exporter
 */
function opentelemetry(properties: Properties): FrameworkSays {
  if (!lists(properties('otel.metrics.exporter'), 'prometheus')) return undefined;
  const host = properties('otel.exporter.prometheus.host');
  if (host !== undefined && isLoopback(host)) return UNREACHABLE;
  return {
    kind: 'found',
    port: readPortNumber(properties('otel.exporter.prometheus.port') ?? '9464'),
    defaultPort: 9464,
    path: '/metrics',
    scheme: 'http',
    sure: host !== undefined,
  };
}

/**
 * Returns the paths at which the settings suggest metrics at the port, though they don't say that
 * there are any: below the paths under which the applications serve everything.
 */
export function suggestedPaths(properties: Properties, port: number): readonly string[] {
  const isSet = (names: readonly string[]): boolean => names.some((name) => properties(name) !== undefined);
  const isSpring = isSet([
    'server.servlet.context-path',
    'spring.webflux.base-path',
    'management.server.port',
    'management.server.base-path',
    'management.endpoints.web.base-path',
    'management.endpoints.web.path-mapping.prometheus',
  ]);
  const isManagement = isSpringSeparate(properties) && properties('management.server.port') === String(port);
  return [
    ...(isSpring ? [springPath(properties, isManagement)] : []),
    ...(isTrue(properties('micronaut.metrics.export.prometheus.enabled')) ? ['/prometheus'] : []),
    ...(isSet([
      'quarkus.http.root-path',
      'quarkus.http.non-application-root-path',
      'quarkus.micrometer.export.prometheus.path',
    ])
      ? [quarkusPath(properties)]
      : []),
  ];
}

const SWITCHED_OFF = { kind: 'off', reason: 'switched_off' } as const;
const UNREACHABLE = { kind: 'off', reason: 'unreachable' } as const;
const GUARDED = { kind: 'off', reason: 'guarded' } as const;

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true';
}

function isFalse(value: string | undefined): boolean {
  return value?.toLowerCase() === 'false';
}

function lists(value: string | undefined, item: string): boolean {
  return value?.split(',').some((each) => each.trim() === item) === true;
}
