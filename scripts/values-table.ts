import { isMap, isNode, isScalar, parseDocument } from 'yaml';
import type { YAMLMap } from 'yaml';

/** One of the chart's values. */
export interface Value {
  /** As `--set` takes it, such as `webhook.replicas`. */
  readonly path: string;
  readonly fallback: unknown;
  /** The comment above it. */
  readonly comment: string;
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** What the schema knows and values.yaml doesn't hold: a parent chart's, not the user's. */
const PARENT_CHART = ['global', 'enabled'];

/**
 * Returns every value of values.yaml with its comment. Throws with all faults at once: a value without a comment, one that the
 * schema doesn't know, one that only the schema knows.
 */
export function readValues(text: string, schema: Schema): readonly Value[] {
  const document = parseDocument(text);
  if (!isMap(document.contents)) throw new Error('values.yaml holds no mapping');
  const faults: string[] = [];
  const values = [...read(document.contents, schema, [], faults)];
  for (const name of Object.keys(schema.properties ?? {})) {
    if (!PARENT_CHART.includes(name) && !document.has(name)) faults.push(`only the schema knows ${name}`);
  }
  if (faults.length > 0) throw new Error(`values.yaml and scripts/values-schema.ts:\n  ${faults.join('\n  ')}`);
  return values;
}

function* read(map: YAMLMap, schema: Schema, parents: readonly string[], faults: string[]): Generator<Value> {
  const path = (name: string) => [...parents, name].join('.');
  const known = schema.properties ?? {};
  for (const [index, { key, value }] of map.items.entries()) {
    if (!isScalar(key) || typeof key.value !== 'string') continue;
    const inner = known[key.value];
    if (inner === undefined) faults.push(`the schema doesn't know ${path(key.value)}`);
    // The comment above a mapping's first key belongs to the mapping.
    const comment = oneLine(key.commentBefore ?? (index === 0 ? map.commentBefore : undefined));
    // The rules file is one value, described elsewhere; so is what the schema leaves to Kubernetes.
    if (isMap(value) && inner?.properties !== undefined && key.value !== 'rules' && !isSelector(inner)) {
      yield* read(value, inner, [...parents, key.value], faults);
      for (const name of Object.keys(inner.properties)) {
        if (!value.has(name)) faults.push(`only the schema knows ${path(`${key.value}.${name}`)}`);
      }
    } else {
      if (comment === '') faults.push(`${path(key.value)} has no comment`);
      yield { path: path(key.value), fallback: isNode(value) ? value.toJSON() : value, comment };
    }
  }
}

function isSelector(schema: Schema): boolean {
  return schema.properties?.['matchExpressions'] !== undefined;
}

/** The last paragraph of a comment, on one line. */
function oneLine(comment: string | null | undefined): string {
  const paragraph = (comment ?? '').split(/\n\s*\n/).at(-1) ?? '';
  return paragraph.replaceAll('\n', '').trim();
}

/** Returns the values in Markdown: a table for those at the top, and one under a heading of its own for each mapping. */
export function valuesTables(values: readonly Value[]): string {
  const groups = Map.groupBy(values, ({ path }) => /^[^.]+(?=\.)/.exec(path)?.[0] ?? '');
  const general = table(groups.get('') ?? []);
  groups.delete('');
  return [general, ...[...groups].map(([name, group]) => `### \`${name}\`\n\n${table(group)}`)].join('\n\n');
}

function table(values: readonly Value[]): string {
  const rows = values.map(({ path, fallback, comment }) => [
    `\`${path}\``,
    `\`${JSON.stringify(fallback)}\``,
    comment.replaceAll('|', String.raw`\|`),
  ]);
  return [['Value', 'Default', 'What it is'], ['---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
