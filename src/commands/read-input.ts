import { stripControls } from '../core/control-characters.ts';
import { renderProblems } from '../core/problem.ts';
import type { Found } from '../explain/examine.ts';
import { namespaceProblems } from '../explain/namespaces.ts';
import { parseManifest } from '../manifest/parse.ts';
import { readSources } from '../manifest/read-files.ts';
import { findSelectors, LABELS_ALONE } from '../manifest/release-selectors.ts';
import type { SelectorsInForce } from '../manifest/release-selectors.ts';
import { readWorkloads } from '../manifest/workload.ts';
import type { OtherObject } from '../manifest/workload.ts';

/** What was read of files, or of a cluster. */
export interface Input {
  readonly found: readonly Found[];
  readonly others: readonly OtherObject[];
  /** The number of files with a workload. */
  readonly files: number;
  /** Whether every file and document could be read; what could not is reported on stderr. */
  readonly isComplete: boolean;
  /** Whether it was read from a cluster, so that nothing has a file. */
  readonly isLive: boolean;
  /** Which pods are selected, and who says so. */
  readonly inForce: SelectorsInForce;
}

/**
 * Returns the workloads of the files that `-f` names. What can't be read is reported on stderr, and the rest is read. The
 * selectors are the given ones, else those of the releases of the chart in the files.
 */
export async function readInput(
  names: readonly string[],
  recursive: boolean,
  given?: SelectorsInForce,
): Promise<Input> {
  const found: Found[] = [];
  const others: OtherObject[] = [];
  const othersOf: { readonly file: string; readonly objects: readonly OtherObject[] }[] = [];
  let errors = 0;
  let documentsRead = 0;
  const reportError = (message: string): void => {
    errors += 1;
    process.stderr.write(`${message}\n`);
  };
  const options = { recursive, stdin: process.stdin, onPassedOver: notePassedOver };
  for await (const source of readSources(names, options)) {
    if (!source.content.ok) {
      reportError(stripControls(`${source.name}: ${source.content.error}`));
      continue;
    }
    const { documents, problems } = parseManifest(source.content.value);
    if (problems.length > 0) reportError(renderProblems(source.name, problems));
    documentsRead += documents.length;
    const objects = readWorkloads(documents);
    if (objects.others.length > 0) othersOf.push({ file: source.name, objects: objects.others });
    for (const other of objects.others) others.push(other);
    for (const workload of objects.workloads) found.push({ workload, file: source.name });
  }
  if (errors === 0 && found.length + others.length === 0) {
    // kubectl prints a list without items where a namespace has nothing, or is misspelt.
    const what =
      documentsRead > 0
        ? 'a list without items: is the namespace the right one?'
        : names.includes('-')
          ? 'empty: did the command before it fail?'
          : 'empty';
    reportError(`autoscrape: the input is ${what}`);
  }
  const inForce = given ?? findSelectors([...others, ...found.map(({ workload }) => workload)]) ?? LABELS_ALONE;
  for (const { file, objects } of othersOf) {
    for (const { name, problem } of namespaceProblems(objects, inForce.selectors))
      process.stderr.write(`${stripControls(`${file}: Namespace ${name}: ${problem}`)}\n`);
  }
  const files = new Set(found.map(({ file }) => file)).size;
  return { found, others, files, isComplete: errors === 0, isLive: false, inForce };
}

function notePassedOver(sentence: string): void {
  process.stderr.write(`${stripControls(sentence)}\n`);
}
