import { DATADOG } from './datadog.ts';
import type { Dialect } from './dialect.ts';
import { DYNATRACE } from './dynatrace.ts';
import { GRAFANA } from './grafana.ts';
import { OPENTELEMETRY } from './opentelemetry.ts';

/** The dialects, by the name that a rules file has for them. */
export const DIALECTS = {
  grafana: GRAFANA,
  datadog: DATADOG,
  dynatrace: DYNATRACE,
  opentelemetry: OPENTELEMETRY,
} as const satisfies Record<string, Dialect>;

/** A key of {@link DIALECTS}. */
export type DialectName = keyof typeof DIALECTS;

/** The keys of {@link DIALECTS}, in the order in which they are written. */
export const DIALECT_NAMES = ['grafana', 'datadog', 'dynatrace', 'opentelemetry'] as const satisfies DialectName[];
