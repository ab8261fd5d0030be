import * as z from 'zod';
import { DIALECT_NAMES } from '../annotations/dialects/dialects.ts';
import { DEFAULT_KEYS, sanitised, slowKey } from '../annotations/scrape-keys.ts';
import { ISTIO_TARGETS_KEY } from '../annotations/istio-targets.ts';
import { numberedKeys } from '../annotations/numbered-keys.ts';
import { MAX_TEXT } from '../limits.ts';
import { MARKER_KEY, RULE_NAME } from '../annotations/marker.ts';
import { compilePattern } from './re2-pattern.ts';
import { ISTIO_PORTS, isScrapable } from '../pod/port.ts';
import { NO_ENDPOINT } from '../skip-reason.ts';
import { FRAMEWORKS } from '../pod/framework-settings.ts';
import { contradiction } from './selector.ts';
import { didYouMean } from '../did-you-mean.ts';
import { parseVersionRange } from './version-range.ts';

// The schema of a rules file. The chart's values.schema.json contains its JSON Schema, so that each
// field is described only here. JSON Schema cannot contain the check of a `refine`: where it has an
// equivalent, a `meta` repeats it.

/**
 * Returns the schema of an object that must not have unknown fields: the error suggests a similar
 * field.
 */
export function strict<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') {
        const keys = (issue as { keys?: readonly string[] }).keys ?? [];
        return keys
          .map((key) => `unknown field "${key}"${didYouMean(key, known) || `; known fields: ${known.join(', ')}`}`)
          .join('; ');
      }
      return issue.code === 'invalid_type' ? mustBe(`a mapping with ${known.join(', ')}`, issue.input) : undefined;
    },
  });
}

/**
 * Returns the message for a value of the wrong type or a missing value: zod's own messages are for
 * programmers.
 */
function mustBe(kind: string, input: unknown): string {
  return `${input === undefined ? 'is missing, and ' : ''}must be ${kind}${input === null ? ', but is empty' : ''}`;
}

/** Returns the schema of a string. */
export function text(): z.ZodString {
  return z.string({
    error({ input }) {
      const isScalar = typeof input === 'number' || typeof input === 'boolean';
      return `${mustBe('a string', input)}${isScalar ? ': quote it' : ''}`;
    },
  });
}

/** Returns the schema of a list. */
export function list<Item extends z.ZodType>(item: Item): z.ZodArray<Item> {
  return z.array(item, {
    // A list whose items are all commented out is null.
    error: ({ input }) => `${mustBe('a list', input)}${input === null ? ': write [], or remove the field' : ''}`,
  });
}

const AT_LEAST_ONE = 'must have at least one item';

const Pattern = text()
  .min(1, 'must not be empty')
  .superRefine((source, context) => {
    const compiled = compilePattern(source);
    if (!compiled.ok) context.addIssue({ code: 'custom', message: compiled.error });
  })
  .meta({ description: 'RE2, anchored at both ends' });

const PathPattern = Pattern.regex(/\(\?P?<path>/, 'must capture the path in a group: (?P<path>/…)');

const PortNumber = z
  .int('must be a whole number')
  .refine(isScrapable, 'must be a TCP port from 1 to 65535 that Istio does not reserve')
  .meta({ minimum: 1, maximum: 65535, not: { enum: [...ISTIO_PORTS] } });
const PortNumbers = z.union([PortNumber, list(PortNumber).min(1, AT_LEAST_ONE)], {
  error: ({ input }) => mustBe('a port number or a list of them', input),
});
const LONG_PATH = `must have at most ${MAX_TEXT} characters`;
const Path = text()
  .max(MAX_TEXT, LONG_PATH)
  .startsWith('/', 'must begin with "/"')
  .regex(/^[^?#\s]*$/, 'must be only a path: scrapers encode "?" and "#"');
const PathTemplate = z.union(
  [
    Path,
    text()
      .max(MAX_TEXT, LONG_PATH)
      .regex(/^\$\{[^?#\s]*$/),
  ],
  {
    error: 'must be a path that begins with "/" or with a "${group}", without "?" and "#"',
  },
);
/** The schema of a scheme. */
export const Scheme = z.enum(['http', 'https'], { error: 'must be "http" or "https"' });

const NAME = String.raw`([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)`;
const PREFIX = String.raw`([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*/)?`;
const QualifiedName = text()
  .max(317, { error: 'must have at most 253 characters before the "/" and 63 after it', abort: true })
  .regex(
    new RegExp(`^${PREFIX}${NAME}$`),
    'must be a qualified name such as "example.com/port", or Kubernetes rejects every pod',
  )
  .refine(
    (key) => key.lastIndexOf('/') <= 253,
    'must have at most 253 characters before the "/", or Kubernetes rejects every pod',
  );
const LabelValue = text().regex(
  new RegExp(`^(${NAME})?$`),
  'must be a label value: at most 63 letters, digits, "-", "_", "."',
);

const LabelSelector = strict({
  matchLabels: z
    .record(QualifiedName, LabelValue, {
      error: (issue) => {
        // The issue of an invalid key wraps the issue that has the message.
        if (issue.code === 'invalid_key') return issue.issues[0]?.message;
        return mustBe('a mapping of labels and their values', issue.input);
      },
    })
    .optional(),
  matchExpressions: list(
    strict({
      key: QualifiedName,
      operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist'], {
        error: 'must be In, NotIn, Exists or DoesNotExist',
      }),
      values: list(LabelValue).optional(),
    }).superRefine(({ operator, values = [] }, context) => {
      const wantsValues = operator === 'In' || operator === 'NotIn';
      if (wantsValues && values.length === 0)
        context.addIssue({ code: 'custom', path: ['values'], message: `${operator} needs at least one value` });
      if (!wantsValues && values.length > 0)
        context.addIssue({ code: 'custom', path: ['values'], message: `${operator} takes no values` });
    }),
  ).optional(),
}).superRefine((selector, context) => {
  const message = contradiction(selector);
  if (message !== undefined) context.addIssue({ code: 'custom', message: `can never match: ${message}` });
});

const When = strict({
  podLabels: LabelSelector.optional().describe('a Kubernetes label selector on the pod'),
  namespace: Pattern.optional().describe("the name of the pod's namespace"),
  container: Pattern.optional().describe("the container's name"),
  image: Pattern.optional().describe("the container's image without tag and digest, registry included as written"),
  portName: Pattern.optional().describe("a declared port's name"),
  otherPortName: Pattern.optional().describe('the name of another port of the container, of any protocol'),
  portNumber: PortNumbers.optional().describe('a declared port, or one that another condition names'),
  probePath: Pattern.optional().describe("an HTTP probe's path; the port is the probe's"),
  argument: Pattern.optional().describe(
    'one argument of command and args; "--flag value" is read as "--flag=value"; (?P<port>…) names the port',
  ),
  env: Pattern.optional().describe('one NAME=value of the environment; (?P<port>…) names the port'),
  setting: Pattern.optional().describe('one argument or one NAME=value, as argument and env; it names no port'),
  framework: z
    .enum(FRAMEWORKS, { error: `must be one of ${FRAMEWORKS.join(', ')}` })
    .optional()
    .describe('settings of the framework announce metrics; they give port, path and scheme'),
  stated: z
    .literal(true, { error: 'must be true, or removed' })
    .optional()
    .describe("the framework's settings leave no doubt about metrics and port"),
  catalogue: z
    .literal(true, { error: 'must be true, or removed' })
    .optional()
    .describe('an entry under images lists the image; it gives port, path and scheme'),
  declared: z
    .literal(true, { error: 'must be true, or removed' })
    .optional()
    .describe('the container declares the port that the other conditions name'),
})
  .refine((when) => Object.keys(when).length > 0, {
    error: 'must have at least one condition',
    // An unknown field is already reported, and is probably a mistyped condition.
    when: ({ issues }) => issues.length === 0,
  })
  .meta({ minProperties: 1 });

const TAKEN_NAMES: readonly string[] = ['annotation', 'label', 'asked'];
const ruleName = text()
  .regex(RULE_NAME, 'must have at most 63 lower-case letters, digits and "-", because pods name it in a label')
  .refine(
    (name) => !TAKEN_NAMES.includes(name),
    'is reserved, because it means something else in metrics and logs: choose another name',
  )
  .meta({ not: { enum: TAKEN_NAMES } });

const Rule = strict({
  name: ruleName,
  when: When,
  unless: When.optional().describe(
    'the same conditions; a port for which they hold is not used, and a rule with exclude does not match at all',
  ),
  scrape: strict({
    port: PortNumber.optional().describe('the port, which overrides the conditions'),
    path: PathTemplate.optional().describe(
      "default: the path that the container sets (pathFrom), else the catalogue's path for that port, else /metrics; ${name} is a named group of argument, env or probePath",
    ),
    scheme: Scheme.optional(),
  })
    .optional()
    .describe('what to write when the rule finds an endpoint'),
  exclude: z
    .literal([true, ...NO_ENDPOINT], { error: `must be true or one of ${NO_ENDPOINT.join(', ')}, or removed` })
    .optional()
    .describe(
      'the container has no metrics to scrape, and why (true: switched_off): later rules skip it; with guarded, a variable of env counts, too, where its value comes from a Secret',
    ),
  proxy: z
    .literal(true, { error: 'must be true, or removed' })
    .optional()
    .describe(
      'the rule finds a proxy that serves the metrics of other containers: these have no endpoints of their own',
    ),
  continue: z
    .literal(true, { error: 'must be true, or removed' })
    .optional()
    .describe('later rules look for further endpoints in the same container'),
  confirm: z
    .literal(true, { error: 'must be true, or removed' })
    .optional()
    .describe('the rule only hints at an endpoint: where asking is on, the pod is asked first'),
}).superRefine(({ exclude, confirm, continue: continues, scrape, when }, context) => {
  if (continues && (exclude || confirm))
    context.addIssue({
      code: 'custom',
      path: ['continue'],
      message: `continue and ${exclude ? 'exclude' : 'confirm'} exclude each other: further endpoints need one that is certain`,
    });
  if (exclude && confirm)
    context.addIssue({
      code: 'custom',
      path: ['confirm'],
      message: 'exclude and confirm exclude each other: where a rule finds no endpoint, there is none to be asked',
    });
  if (exclude && scrape !== undefined)
    context.addIssue({
      code: 'custom',
      path: ['exclude'],
      message: 'exclude and scrape exclude each other: a rule either finds an endpoint or says that there is none',
    });
  const groups = [when.argument, when.env, when.probePath].flatMap((source) => {
    const compiled = source === undefined ? undefined : compilePattern(source);
    return compiled?.ok ? compiled.value.groupNames : [];
  });
  for (const [reference, name = ''] of (scrape?.path ?? '').matchAll(/\$\{(\w*)\}/g)) {
    if (!groups.includes(name))
      context.addIssue({
        code: 'custom',
        path: ['scrape', 'path'],
        message: `${reference} is not a named group of the rule's patterns${didYouMean(name, groups)}`,
      });
  }
});

const ImageName = text()
  .regex(
    /^[a-z0-9*._-]+(\/[a-z0-9*._-]+)?$/,
    'must be the last one or two segments of an image, without registry, tag and digest, such as "prom/prometheus"',
  )
  .regex(/[a-z0-9]/, 'must contain a letter or a digit');

function settingNames(meaning: string) {
  return list(
    text().regex(
      /^(--?[A-Za-z][\w.-]*|[A-Za-z_]\w*)$/,
      'must be a flag such as "--web.listen-address" or a variable\'s name',
    ),
  )
    .min(1, AT_LEAST_ONE)
    .describe(meaning);
}

const Versions = text().superRefine((source, context) => {
  const range = parseVersionRange(source);
  if (!range.ok) context.addIssue({ code: 'custom', message: range.error });
});

const Image = strict({
  images: list(ImageName).min(1, AT_LEAST_ONE),
  port: PortNumbers.describe('the default; of several, only a declared one is used'),
  path: Path.optional().describe('default: /metrics'),
  scheme: Scheme.optional().describe('default: http'),
  portFrom: settingNames(
    'flags and variables that set the port or address of the metrics: their value replaces the default',
  ).optional(),
  pathFrom: settingNames('flags and variables that set the path: their value replaces the default').optional(),
  basePathFrom: settingNames(
    'flags and variables that set a path, or a URL with a path, below which the image serves everything',
  ).optional(),
  needs: z
    .union([Pattern, list(Pattern).min(2, 'must have at least two items, or be a string')], {
      error: ({ input }) => mustBe('a pattern or a list of them', input),
    })
    .optional()
    .describe('an argument or NAME=value that the image needs to serve metrics, or a list of which it needs all'),
  unless: Pattern.optional().describe('an argument or NAME=value with which it serves none (switched_off)'),
  https: Pattern.optional().describe('an argument or NAME=value with which it serves them over https'),
  guarded: z
    .union([Pattern, z.literal(true)], { error: ({ input }) => mustBe('a pattern or true', input) })
    .optional()
    .describe(
      'an argument or NAME=value with which they need credentials; NAME counts where its value comes from a Secret, too; true: they always do',
    ),
  servedElsewhere: Pattern.optional().describe(
    'an argument or NAME=value with which something else serves them (served_elsewhere)',
  ),
  unreachable: Pattern.optional().describe('an argument or NAME=value with which they are on loopback only'),
  declared: z
    .literal(true, { error: 'must be true, or removed' })
    .optional()
    .describe('only where the container declares the port'),
  versions: Versions.optional().describe(
    'the versions that the entry is about, such as ">=3.6"; an image whose tag tells no version is left to the next entry',
  ),
  container: Pattern.optional().describe("the container's name, for images with several roles"),
  portName: Pattern.optional().describe(
    'where the default port is not declared: the name of the metrics port, for images with one HTTP listener',
  ),
  otherPorts: list(PortNumber)
    .min(1, AT_LEAST_ONE)
    .optional()
    .describe(
      'ports that the image uses for other things: declaring only these does not mean that the default has moved',
    ),
  source: z.url({ error: 'must be the URL of the public page that says so' }).optional(),
});

const Ask = strict({
  never: list(PortNumber).default([]).describe('TCP ports that must never be asked, whatever their names'),
});

const Annotations = strict({
  scrape: QualifiedName.default(DEFAULT_KEYS.scrape),
  port: QualifiedName.default(DEFAULT_KEYS.port),
  path: QualifiedName.default(DEFAULT_KEYS.path),
  scheme: QualifiedName.default(DEFAULT_KEYS.scheme),
}).superRefine((keys, context) => {
  const taken = new Map([
    [sanitised(MARKER_KEY), { key: MARKER_KEY, use: 'records what was added' }],
    [sanitised(ISTIO_TARGETS_KEY), { key: ISTIO_TARGETS_KEY, use: "tells Istio's agent what to merge" }],
    [sanitised(slowKey(keys)), { key: slowKey(keys), use: 'asks for slow scrapes' }],
  ]);
  for (const [field, key] of Object.entries(keys)) {
    const other = taken.get(sanitised(key));
    if (other !== undefined) {
      const message =
        key === other.key
          ? `"${key}" is reserved, because it ${other.use}: choose another`
          : `Prometheus reads "${key}" and "${other.key}", which ${other.use}, as the same key: it reads every character except letters and digits as "_"`;
      context.addIssue({ code: 'custom', path: [field], message });
    }
    taken.set(sanitised(key), { key, use: `is the key of ${field}` });
  }
  for (const key of numberedKeys(keys)) {
    const other = taken.get(sanitised(key));
    if (other === undefined) continue;
    const [field] = Object.entries(keys).find(([, each]) => each === other.key) ?? ['port'];
    const message = `Prometheus reads "${other.key}" as the same key as "${key}", which carries a further endpoint: choose another`;
    context.addIssue({ code: 'custom', path: [field], message });
  }
});

/** The schema of every rules file: the user's and the shipped ones. */
export const RulesFile = strict({
  extends: z
    .enum(['default', 'none'], { error: 'must be "default" or "none"' })
    .default('default')
    .describe('whether the shipped rules come after these'),
  disabled: list(text()).default([]).describe('names of shipped rules to switch off'),
  https: z
    .boolean({ error: 'must be true or false' })
    .default(false)
    .describe("whether to annotate https endpoints: only where the cluster's Prometheus can scrape them"),
  endpoints: z
    .enum(['first', 'all'], { error: 'must be "first" or "all"' })
    .default('first')
    .describe(
      'which endpoints of a pod to annotate: the first, or up to eight, with numbered keys such as prometheus.io/port-2 that only a scrape configuration made for them reads',
    ),
  ignoreContainers: list(Pattern)
    .default([])
    .describe('names of containers that meshes and agents inject, added to the shipped list'),
  pathFrom: list(PathPattern)
    .default([])
    .describe(
      'patterns on arguments and NAME=value that set the path of the metrics, as (?P<path>…); added to the shipped list',
    ),
  rules: list(Rule).default([]).describe('in order; the first that finds an endpoint decides'),
  images: list(Image).default([]).describe('a catalogue of images, used before the shipped one'),
  ask: Ask.prefault({}).describe('what the reconciler must not ask, where asking is on'),
  annotations: Annotations.prefault({}).describe('the annotation keys to read and to write'),
  dialects: list(
    z.enum(DIALECT_NAMES, {
      error: ({ input }) =>
        `must be one of ${DIALECT_NAMES.join(', ')}${typeof input === 'string' ? didYouMean(input, DIALECT_NAMES) : ''}`,
    }),
  )
    .default([])
    .describe(
      'annotations of other consumers to write beside these, as the documentation of each has them: what a consumer reads then counts twice where it reads prometheus.io/* as well',
    ),
});

/** A rules file after validation, with all defaults. */
export type RulesFile = z.output<typeof RulesFile>;
