import { basename, dirname } from 'node:path';
import type { Logger } from 'pino';
import { parseRules, renderProblems } from '../core/rules/parse.ts';
import type { Rules } from '../core/rules/parse.ts';
import { reloadOnChange } from '../process/file-watcher.ts';
import type { Watched } from '../process/file-watcher.ts';
import { defaultRules, readShipped } from './shipped.ts';

/** How changes of the rules file are reported. */
export interface ReloadingRulesOptions {
  readonly log: Logger;
  /** Called after each attempt to load a change; an error is reported again every ten seconds while it lasts. */
  readonly onReload: (result: 'success' | 'error') => void;
}

/**
 * Returns the rules of the file, reloaded when it changes, or the shipped rules where there is no file.
 * While a changed file is invalid, the last valid rules stay in use. A file that is invalid at the start
 * throws a UserError.
 */
export async function reloadingRules(
  file: string | undefined,
  { log, onReload }: ReloadingRulesOptions,
): Promise<Watched<Rules>> {
  if (file === undefined) {
    const rules = defaultRules();
    return { current: () => rules, close: () => undefined };
  }
  const shipped = readShipped();
  return reloadOnChange<Rules>({
    folder: dirname(file),
    names: [basename(file)],
    load([content = Buffer.alloc(0)]) {
      const parsed = parseRules(content.toString(), shipped);
      if (!parsed.ok) {
        return { ok: false, error: `invalid rules file:\n${renderProblems(file, parsed.error)}` };
      }
      if (parsed.value.warnings.length > 0) {
        log.warn(
          { problem: renderProblems(file, parsed.value.warnings) },
          'a rule replaces a shipped rule of the same name',
        );
      }
      return { ok: true, value: parsed.value.rules };
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
