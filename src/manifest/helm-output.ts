import type { Result } from '../core/result.ts';

/** How the output of `helm install --dry-run`, `helm get all` and `helm status` begins. */
const HEAD = /^NAME: .*\r?\nLAST DEPLOYED: /m;

/** The lines below which they print manifests. */
const MANIFESTS = /^(?:HOOKS|MANIFEST):\s*$/m;

/** The line below which Helm prints a chart's notes. No manifest has such a field at its top. */
const NOTES = /^NOTES:[ \t]*\r?$/m;

/**
 * Returns the manifests in what Helm prints around them: the head of `helm install --dry-run` and the notes at the end
 * become empty lines, so that every line keeps its number. Any other text stays as it is. A sentence where Helm printed none.
 */
export function manifestsInHelmOutput(text: string): Result<string, string> {
  const notes = NOTES.exec(text);
  const kept = notes === null ? text : text.slice(0, notes.index) + emptied(text.slice(notes.index));
  if (!HEAD.test(kept)) return { ok: true, value: kept };
  const start = MANIFESTS.exec(kept)?.index;
  if (start === undefined)
    return { ok: false, error: "Helm's status has no manifests: helm get manifest RELEASE | autoscrape explain -f -" };
  const manifests = kept.slice(start).replace(/^(?:HOOKS|MANIFEST):[ \t]*$/gm, '---');
  return { ok: true, value: emptied(kept.slice(0, start)) + manifests };
}

function emptied(text: string): string {
  return text.replace(/[^\n]+/g, '');
}
