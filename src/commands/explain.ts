import { stringify } from 'yaml';
import { stripControls } from '../core/control-characters.ts';
import { explain as explainPod } from '../core/explain.ts';
import { unknownOptIn } from '../core/opt-in.ts';
import { renderProblems } from '../core/problem.ts';
import { explainRecord } from '../explain/record.ts';
import { renderSummary } from '../explain/summary.ts';
import { renderExplanation } from '../explain/text.ts';
import { parseManifest } from '../manifest/parse.ts';
import { readSources } from '../manifest/source.ts';
import { readWorkloads } from '../manifest/workload.ts';
import { loadRules } from '../rules/load.ts';
import { Command, nonEmpty, Option, option, several } from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples, needed } from './usage.ts';

const flags = new Command('explain')
  .description(
    'Says for each workload in the files what the webhook would do with its pods, and why. Needs no cluster.',
  )
  .addOption(
    needed(
      new Option(
        '-f, --filename <file>',
        'file, folder or - for standard input; YAML or JSON; can be given several times',
      ).argParser(several),
    ),
  )
  .addOption(new Option('-R, --recursive', 'look in the folders below a folder, too'))
  .addOption(
    new Option('-o, --output <format>', 'text for people; json: one object a line; yaml: one document each')
      .choices(['text', 'json', 'yaml'])
      .default('text'),
  )
  .addOption(option('--rules <file>', 'rules file; without it the shipped rules apply').argParser(nonEmpty))
  .addOption(new Option('--mesh', 'decide as in a namespace where Istio injects its proxy'))
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

/** What `autoscrape explain` is told. */
export type ExplainOptions = OptionsOf<typeof flags>;

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
    const { workloads, others, unknownOptIns } = readWorkloads(values);
    for (const { name, value } of unknownOptIns) {
      process.stderr.write(`${source.name}: Namespace ${stripControls(name)}: ${unknownOptIn(value)}\n`);
    }
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
