import { isLoopback, readPortNumber } from './port.ts';
import { SWITCHED_OFF, UNREACHABLE } from './framework-says.ts';
import type { FrameworkSays } from './framework-says.ts';
import { joinPath } from './path.ts';
import { isFalse, isTrue, lists } from './properties.ts';
import type { Properties } from './properties.ts';

/**
 * Returns what properties say about the metrics of Spring Boot.
 * https://docs.spring.io/spring-boot/reference/actuator/endpoints.html#actuator.endpoints.exposing
 * https://docs.spring.io/spring-boot/reference/actuator/monitoring.html
 * https://docs.spring.io/spring-boot/appendix/application-properties/index.html
 */
export function springBoot(properties: Properties): FrameworkSays {
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
export function isSpringSeparate(properties: Properties): boolean {
  const port = properties('management.server.port');
  return port !== undefined && port !== (properties('server.port') ?? '8080');
}

/** Returns the path of the metrics. */
export function springPath(properties: Properties, isSeparate: boolean): string {
  const context = isSeparate
    ? (properties('management.server.base-path') ?? properties('management.server.servlet.context-path'))
    : (properties('server.servlet.context-path') ?? properties('spring.webflux.base-path'));
  const base = properties('management.endpoints.web.base-path') ?? '/actuator';
  const endpoint = properties('management.endpoints.web.path-mapping.prometheus') ?? 'prometheus';
  return joinPath(context ?? '', joinPath(base, joinPath(endpoint, '')));
}
