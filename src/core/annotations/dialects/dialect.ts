/** Where metrics are, as far as a dialect's annotations say it. */
export interface DialectEndpoint {
  /** Name of the container that serves it; empty where nobody declares its port. */
  readonly container: string;
  /** Decimal TCP port, 1–65535. */
  readonly port: number;
  /** A path for which {@link isPlainPath} holds. */
  readonly path: string;
  readonly scheme: 'http' | 'https';
}

/** What of the pod decides how its endpoints are said. */
export interface DialectPod {
  /** Names of the regular containers, in declared order; at least one. */
  readonly regular: readonly [string, ...string[]];
  /** Returns how many ports of regular containers have this number, whatever their protocol. */
  readonly declarations: (port: number) => number;
  /** Returns whether the pod has the annotation, in any spelling that Prometheus reads alike. */
  readonly has: (key: string) => boolean;
}

/** The annotations to add in one dialect, or in several. */
export interface Written {
  readonly annotations: Readonly<Record<string, string>>;
  /** Why something is not written, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * The annotations of one consumer. Where a pod says anything itself of what the consumer scrapes, nothing is added for it:
 * two statements, half the author's and half ours, would be a third that nobody meant.
 */
export interface Dialect {
  /** The consumer, as a sentence has it. */
  readonly consumer: string;
  /** What the keys that the consumer reads begin with. */
  readonly prefixes: readonly string[];
  /** Returns whether a pod with this key says itself what the consumer scrapes. */
  readonly isStated: (key: string) => boolean;
  /** The keys that are written, but for those of {@link pattern}. The chart has them too: templates/_dialects.tpl. */
  readonly keys: readonly string[];
  /** The key of these with which the consumer, where it is "true" on a Service, scrapes what is behind that as well. */
  readonly onServices?: string;
  /** The keys that are made from words of a pod. */
  readonly pattern?: RegExp;
  /** Returns what is added for the endpoints, of which the first one comes first, and there are at most eight. */
  readonly write: (endpoints: readonly [DialectEndpoint, ...DialectEndpoint[]], pod: DialectPod) => Written;
}

/**
 * Returns whether the path can be written in every dialect: characters of a URL's path (RFC 3986, section 3.3) that mean
 * nothing else to a consumer. Datadog's agent replaces `%%…%%`
 * (https://docs.datadoghq.com/containers/guide/template_variables/), and OpenTelemetry's receiver_creator evaluates what is
 * between backticks.
 */
export function isPlainPath(path: string): boolean {
  return /^\/(?:[\w.~:@!*+,;=&/-]|%[0-9A-Fa-f]{2})*$/.test(path);
}
