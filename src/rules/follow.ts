import { basename, dirname } from 'node:path';
import type { Logger } from 'pino';
import { parseRules, renderProblems } from '../core/rules/parse.ts';
import type { Rules } from '../core/rules/parse.ts';
import { watchFiles } from '../process/watch-files.ts';
import type { Watched } from '../process/watch-files.ts';
import { defaultRules, readShipped } from './shipped.ts';

/** Who is told of the rules file's changes. */
export interface FollowRulesOptions {
  readonly log: Logger;
  /** Called after each attempt to take over a change; a fault counts again every ten seconds while it lasts. */
  readonly onReload: (result: 'success' | 'error') => void;
}

/**
 * The rules to decide by: those of the file as it changes, or the shipped ones. A file that becomes unusable leaves the last good
 * rules in use; one that is unusable to begin with is a UserError.
 */
export async function followRules(
  file: string | undefined,
  { log, onReload }: FollowRulesOptions,
): Promise<Watched<Rules>> {
  if (file === undefined) {
    const rules = defaultRules();
    return { current: () => rules, close: () => undefined };
  }
  const shipped = readShipped();
  return watchFiles<Rules>({
    folder: dirname(file),
    names: [basename(file)],
    load([content = Buffer.alloc(0)]) {
      const parsed = parseRules(content.toString(), shipped);
      if (!parsed.ok) {
        return { ok: false, error: `invalid rules file:\n${renderProblems(file, parsed.problems)}` };
      }
      if (parsed.remarks.length > 0) {
        log.warn(
          { problem: renderProblems(file, parsed.remarks) },
          'a rule of the file replaces a shipped one of its name',
        );
      }
      return { ok: true, value: parsed.rules };
    },
    onChange() {
      log.info({ file }, 'rules reloaded');
      onReload('success');
    },
    onError(error, isNew) {
      onReload('error');
      if (isNew) log.error({ problem: error }, 'rules not reloaded: the last valid ones stay in use');
    },
  });
}
