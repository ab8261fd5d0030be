/**
 * Returns the URL that Prometheus' community rules make of a pod: its address and its annotations alone decide. Undefined
 * where they make no target of it.
 */
export function targetUrl(address: string, annotations: Readonly<Record<string, string>>): string | undefined {
  if (annotations['prometheus.io/scrape'] !== 'true') return undefined;
  const port = annotations['prometheus.io/port'];
  if (port === undefined || !/^[0-9]+$/.test(port)) return undefined;
  const scheme = annotations['prometheus.io/scheme'] ?? 'http';
  return `${scheme}://${address}:${port}${annotations['prometheus.io/path'] ?? '/metrics'}`;
}

/** Returns the value of a metric without labels, as a scrape of the URL finds it. */
export async function scrape(url: string, metric: string): Promise<number> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url} answers with status ${response.status}`);
  const line = (await response.text()).split('\n').find((line) => line.startsWith(`${metric} `));
  if (line === undefined) throw new Error(`${url} has no metric ${metric}`);
  return Number(line.slice(metric.length + 1));
}
