import { stringify } from 'yaml';
import { stripControls } from '../core/control-characters.ts';
import { explain as explainPod } from '../core/explain.ts';
import { renderProblems } from '../core/problem.ts';
import { namespaceProblems } from '../explain/namespaces.ts';
import { passedOverRecord } from '../explain/passed-over.ts';
import { explainRecord } from '../explain/record.ts';
import { renderSummary } from '../explain/summary.ts';
import { renderExplanation } from '../explain/text.ts';
import { parseManifest } from '../manifest/parse.ts';
import { readSources } from '../manifest/source.ts';
import { readWorkloads } from '../manifest/workload.ts';
import type { OtherObject } from '../manifest/workload.ts';
import { loadRules } from '../rules/load.ts';
import { Command, nonEmpty, Option, option, several } from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples, mandatory } from './usage.ts';

const flags = new Command('explain')
  .description(
    'Explains for each workload in the files whether its pods would be annotated, how, and why. Needs no cluster.',
  )
  .addOption(
    mandatory(
      new Option('-f, --filename <file>', 'YAML or JSON file, folder, or - for standard input; repeatable').argParser(
        several,
      ),
    ),
  )
  .addOption(new Option('-R, --recursive', 'also read the folders inside a folder'))
  .addOption(
    new Option(
      '-o, --output <format>',
      'text, or one record per workload: json (one line each) or yaml (one document each)',
    )
      .choices(['text', 'json', 'yaml'])
      .default('text'),
  )
  .addOption(option('--rules <file>', 'rules file; defaults to the shipped rules').argParser(nonEmpty))
  .addOption(
    new Option(
      '-n, --namespace <name>',
      'namespace of workloads that do not name theirs, for rules with the condition namespace',
    ).argParser(nonEmpty),
  )
  .addOption(new Option('--mesh', 'decide as in a namespace where Istio injects sidecars'))
  .addHelpText(
    'after',
    examples(
      ['A file, or a folder of them', 'autoscrape explain -f deployment.yaml -f k8s/'],
      ['What a Helm chart installs', 'helm template my-release ./chart | autoscrape explain -f -'],
      ['What runs in a cluster', 'kubectl get pods -A -o json | autoscrape explain -f - -o json'],
    ),
  );

/** `autoscrape explain`. */
export const command = flags.action(async (options) => {
  process.exitCode = await explain(options);
});

/** The options of `autoscrape explain`. */
export type ExplainOptions = OptionsOf<typeof flags>;

/** Explains each workload in the files, and returns the exit code: 1 where a file or a document can't be read, else 0. */
export async function explain(options: ExplainOptions): Promise<number> {
  const { filename, output, rules: file, mesh = false, recursive = false, namespace } = options;
  const rules = await loadRules(file);
  const counts = { annotated: 0, skipped: 0, others: new Array<OtherObject>() };
  let exitCode = 0;
  const reportError = (message: string): void => {
    exitCode = 1;
    process.stderr.write(`${message}\n`);
  };

  for await (const source of readSources(filename, { recursive, stdin: process.stdin })) {
    if (!source.content.ok) {
      reportError(`${source.name}: ${source.content.error}`);
      continue;
    }
    const { documents, problems } = parseManifest(source.content.value);
    if (problems.length > 0) reportError(renderProblems(source.name, problems));
    const { workloads, others } = readWorkloads(documents);
    for (const { name, problem } of namespaceProblems(others)) {
      process.stderr.write(`${source.name}: Namespace ${stripControls(name)}: ${problem}\n`);
    }
    counts.others.push(...others);
    for (const workload of workloads) {
      const explanation = explainPod(workload.pod, rules, { mesh, namespace: workload.namespace || namespace });
      counts[explanation.decision.outcome === 'annotate' ? 'annotated' : 'skipped'] += 1;
      process.stdout.write(
        output === 'text'
          ? `${renderExplanation(workload, explanation, rules)}\n`
          : renderRecord(output, explainRecord(workload, explanation)),
      );
    }
  }
  if (output !== 'text')
    for (const other of counts.others) process.stdout.write(renderRecord(output, passedOverRecord(other)));
  // No summary where nothing could be read: it would say that there are no workloads.
  const isEmpty = counts.annotated + counts.skipped + counts.others.length === 0;
  if (output === 'text' && !(isEmpty && exitCode !== 0)) process.stdout.write(`${renderSummary(counts)}\n`);
  return exitCode;
}

function renderRecord(output: 'json' | 'yaml', record: object): string {
  return output === 'json' ? `${JSON.stringify(record)}\n` : `---\n${stringify(record)}`;
}
