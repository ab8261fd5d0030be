import * as z from 'zod';
import { WHY_LEFT } from '../core/additional-endpoints.ts';
import { PRECEDENCES } from '../core/rules/precedence.ts';
import { EXPLAINED_REASONS } from './unselected.ts';

// What `explain -o json` writes, for those who read it. The tests hold it to the lines themselves.

const Scheme = z.enum(['http', 'https']);
const Texts = z.array(z.string());
const Count = z.object({ workloads: z.int(), pods: z.int() });

const Workload = z.object({
  type: z.literal('workload'),
  apiVersion: z.string(),
  kind: z.string(),
  namespace: z.string().describe('empty where the manifest names none'),
  name: z.string(),
  template: z.string().describe('where the pod template is in the object, such as spec.template; empty for a Pod'),
  file: z.string().describe('empty for an object of a cluster'),
  line: z.int().describe('on which the document begins, from 1; 0 for an object of a cluster'),
  namespaceOptIn: z
    .enum(['yes', 'no', 'unknown', 'never'])
    .nullable()
    .describe('whether pods of its namespace are annotated at all; null where the input does not tell'),
  outcome: z.enum(['annotate', 'skip']),
  rule: z.string().nullable(),
  reason: z
    .enum(Object.keys(EXPLAINED_REASONS))
    .nullable()
    .describe('why it is skipped; null for a pod that would be annotated'),
  sentence: z.string().nullable().describe('the reason in a sentence'),
  confirm: z.boolean().describe('whether the rule only hints, so that the endpoint is asked first where asking is on'),
  endpoints: z
    .array(
      z.object({
        rule: z.string(),
        container: z.string(),
        port: z.int(),
        path: z.string(),
        scheme: Scheme,
        declared: z.boolean(),
        left: z
          .enum(Object.keys(WHY_LEFT))
          .nullable()
          .describe('why no annotation carries it; null for one that scrapers find'),
      }),
    )
    .describe('every endpoint of the pod; the keys that all scrapers read carry the first'),
  because: z
    .enum(Object.keys(PRECEDENCES))
    .nullable()
    .describe('why the first endpoint comes before the others; null where there are none'),
  annotations: z.record(z.string(), z.string()).describe('those that would be added'),
  warnings: Texts,
  notes: Texts.describe('how scrapers read the annotations'),
  advice: Texts.describe('what to do, the most useful first'),
  candidates: z.array(
    z.object({
      container: z.string(),
      port: z.number().nullable().describe('null where the manifest has no number'),
      name: z.string(),
      excluded: z.string().nullable().describe('why no rule may match the port; null for one that can be scraped'),
      matched: z.array(z.object({ rule: z.string(), path: z.string(), scheme: Scheme })),
      notMatched: z
        .array(z.object({ rule: z.string(), because: z.string() }))
        .optional()
        .describe('only with --details'),
    }),
  ),
});

const PassedOver = z.object({
  type: z.literal('passed_over'),
  apiVersion: z.string(),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  why: z.enum(['no_pods', 'no_kind', 'operator', 'unknown_kind', 'counted_with_owner']),
  because: z.string(),
  owner: z.string().nullable().describe('what makes it, where that is in the input'),
});

const Summary = z.object({
  type: z.literal('summary'),
  ...Count.shape,
  annotate: Count.extend({
    byRule: z.record(z.string(), Count),
    never: Count.describe('those of them in namespaces where no pod is ever annotated, such as kube-system'),
  }),
  skip: Count.extend({ byReason: z.record(z.string(), Count) }),
  notScraped: z
    .object({ endpoints: z.int(), workloads: z.int() })
    .describe('endpoints that rules find, and which no annotation carries'),
  withWarnings: z.int(),
  passedOver: z.int(),
});

/** The schema of a line of `explain -o json`. Later versions may add fields. */
export const OutputLine = z.discriminatedUnion('type', [Workload, PassedOver, Summary]);
