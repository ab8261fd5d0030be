import { stringify } from 'yaml';
import { explain as explainPod } from '../core/explain.ts';
import { renderProblems } from '../core/problem.ts';
import { explainRecord } from '../explain/record.ts';
import { renderSummary } from '../explain/summary.ts';
import { renderExplanation } from '../explain/text.ts';
import { parseManifest } from '../manifest/parse.ts';
import { readSources } from '../manifest/source.ts';
import { readWorkloads } from '../manifest/workload.ts';
import { loadRules } from '../rules/load.ts';

/** What `autoscrape explain` was told by flags and environment. */
export interface ExplainOptions {
  readonly filename: readonly string[];
  readonly output: 'text' | 'json' | 'yaml';
  readonly rules?: string;
  readonly mesh?: boolean;
  readonly recursive?: boolean;
}

/** The exit code after explaining each workload in the files: 1 where a file or a document could not be read, else 0. */
export async function explain(options: ExplainOptions): Promise<number> {
  const { filename, output, rules: file, mesh = false, recursive = false } = options;
  const rules = await loadRules(file);
  const seen = { annotated: 0, leftAlone: 0, others: new Map<string, number>() };
  let exitCode = 0;
  const complain = (message: string): void => {
    exitCode = 1;
    process.stderr.write(`${message}\n`);
  };

  for await (const source of readSources(filename, { recursive, stdin: process.stdin })) {
    if ('fault' in source) {
      complain(`${source.name}: ${source.fault}`);
      continue;
    }
    const { values, problems } = parseManifest(source.text);
    if (problems.length > 0) complain(renderProblems(source.name, problems));
    const { workloads, others } = readWorkloads(values);
    for (const [kind, number] of others) seen.others.set(kind, (seen.others.get(kind) ?? 0) + number);
    for (const workload of workloads) {
      const explanation = explainPod(workload.pod, rules, { mesh });
      seen[explanation.decision.outcome === 'annotate' ? 'annotated' : 'leftAlone'] += 1;
      process.stdout.write(
        output === 'text'
          ? `${renderExplanation(workload, explanation, rules)}\n`
          : renderRecord(output, explainRecord(workload, explanation)),
      );
    }
  }
  // Where nothing could be read, nothing is known of what is in it.
  const sawNothing = seen.annotated + seen.leftAlone + seen.others.size === 0;
  if (output === 'text' && !(sawNothing && exitCode !== 0)) process.stdout.write(`${renderSummary(seen)}\n`);
  return exitCode;
}

function renderRecord(output: 'json' | 'yaml', record: object): string {
  return output === 'json' ? `${JSON.stringify(record)}\n` : `---\n${stringify(record)}`;
}
