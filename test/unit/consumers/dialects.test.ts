import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decide } from '../../../src/core/decide.ts';
import { renderPatch } from '../../../src/core/patch.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';
import { applyPatch } from '../../harness/autoscrape/verify-answer.ts';
import { readDatadog, readDynatrace, readOpenTelemetry } from '../../harness/consumers/dialect-readers.ts';
import type { ReadPod } from '../../harness/consumers/dialect-readers.ts';
import { validPods } from '../../harness/pods/generated-pods.ts';

// What each consumer makes of any pod that gets annotations in its dialect: every endpoint once, at the right address, or none.

const parsed = parseRules(
  '{ endpoints: all, https: true, dialects: [grafana, datadog, dynatrace, opentelemetry] }',
  readShipped(),
);
assert.ok(parsed.ok);
const RULES = parsed.value.rules;
const IP = '192.0.2.1';

/** The pod's own words in other dialects, with which nothing is added in them. */
const WORDS = /^(ad|service-discovery)\.datadoghq\.com\/|^metrics\.dynatrace\.com\/|^io\.opentelemetry\.discovery\./;

test('Datadog, Dynatrace and OpenTelemetry scrape the endpoints that are written for them, each once', () => {
  const counts = { pods: 0, several: 0, long: 0, notDeclaredOnce: 0 };
  fc.assert(
    fc.property(validPods, (pod) => {
      const decision = decide(pod, RULES);
      if (decision.outcome === 'skip') return;
      if (Object.keys(pod.metadata.annotations ?? {}).some((key) => WORDS.test(key))) return;
      const written = Object.keys(decision.annotations);
      if (!written.includes('metrics.dynatrace.com/scrape')) {
        assert.ok(!written.some((key) => WORDS.test(key)), 'one dialect without the others');
        return;
      }
      const after = applyPatch(pod, renderPatch(pod, decision)) as ReadPod;
      const carried = decision.endpoints.filter(({ left, path }) => left === undefined && path.length <= 256);
      const urls = carried.map(({ scheme, port, path }) => `${scheme}://${IP}:${port}${path}`);
      assert.deepEqual(readDynatrace(after, IP), urls.slice(0, 1));

      const tooLong = carried.filter(({ container }) => container.length > 63 - '.checks'.length);
      const short = carried.filter((endpoint) => !tooLong.includes(endpoint));
      assert.deepEqual(
        readDatadog(after, IP).toSorted(),
        short.map(({ scheme, port, path }) => `${scheme}://${IP}:${port}${path}`).toSorted(),
      );

      const numbers = after.spec.containers.flatMap(({ ports = [] }) => ports.map((port) => port.containerPort));
      const once = carried.filter(({ port }) => numbers.filter((number) => number === port).length === 1);
      assert.deepEqual(
        readOpenTelemetry(after, IP).toSorted(),
        once.map(({ scheme, port, path }) => `${scheme}://${IP}:${port}${path}`).toSorted(),
      );
      counts.pods += 1;
      if (carried.length > 1) counts.several += 1;
      if (tooLong.length > 0) counts.long += 1;
      if (once.length < carried.length) counts.notDeclaredOnce += 1;
    }),
    { numRuns: 1500 },
  );
  for (const [what, count] of Object.entries(counts)) assert.ok(count > 10, `${what}: ${count}`);
});
