import { MAX_PATHS } from '../core/ask/ask-path.ts';
import type { Place } from '../core/ask/redirect.ts';
import { classOf } from '../core/ask/verdict.ts';
import type { Verdict } from '../core/ask/verdict.ts';
import { askOnce } from './bounded-get.ts';
import type { Asked, RequestTools } from './bounded-get.ts';

/** What asking a port needs from outside. */
export interface AskTools extends RequestTools {
  /** Resolves when the next request may be sent, or with false when none may any more. */
  readonly mayAsk: (place: Place, path: string) => Promise<boolean>;
  /** Some letters and digits that no server has a path of. */
  readonly randomName: () => string;
  /** Sends a request and judges the answer, where it does not go to the address itself. */
  readonly send?: (place: Place, path: string) => Promise<Asked>;
}

/** What asking one port has shown. */
export interface PortAsked {
  readonly port: number;
  /** The path that the verdict is about: after a redirect the final one, which is the one to annotate. */
  readonly path: string;
  readonly verdict: Verdict;
  /** Each request in order. */
  readonly requests: readonly { readonly path: string; readonly verdict: Verdict }[];
}

/**
 * Asks one port at these paths in turn, at most three, until one answer settles it; a redirect within the port and a control request
 * come on top, each once, so that a port sees at most five requests. The verdict is that of the settling answer, or else of the first.
 */
export async function askPort(place: Place, paths: readonly string[], tools: AskTools): Promise<PortAsked> {
  const requests: { path: string; verdict: Verdict }[] = [];
  const open = paths.slice(0, MAX_PATHS);
  const sendDirectly = (to: Place, path: string): Promise<Asked> => askOnce(to, path, tools);
  let redirects = 0;
  let first: { path: string; verdict: Verdict } | undefined;

  async function ask(path: string): Promise<Asked | undefined> {
    if (!(await tools.mayAsk(place, path))) return undefined;
    const asked = await (tools.send ?? sendDirectly)(place, path);
    requests.push({ path, verdict: asked.verdict });
    return asked;
  }

  /** Asks, and where the answer is a redirect within the port, at that path as well: once a port. */
  async function follow(path: string): Promise<{ path: string; asked: Asked } | undefined> {
    const asked = await ask(path);
    const to = asked?.redirect;
    if (asked === undefined || to === undefined) return asked && { path, asked };
    const known = requests.find((request) => request.path === to);
    if (known !== undefined) return { path: to, asked: { ...asked, verdict: known.verdict } };
    if (redirects++ > 0) return { path, asked };
    const final = await ask(to);
    return final && { path: to, asked: final };
  }

  /** A page that could be metrics by chance is not, where a path that nobody has made gets the same kind of answer. */
  async function confirm(path: string, verdict: Verdict): Promise<Verdict> {
    if (classOf(verdict) !== 'metrics' || !('sure' in verdict) || verdict.sure) return verdict;
    const control = await ask(`/${tools.randomName()}`);
    if (control === undefined) return { key: 'waiting' };
    const isSame = classOf(control.verdict) === 'metrics' || control.redirect === path;
    if (isSame) return { key: 'catch_all' };
    return classOf(control.verdict) === 'not_answered' ? control.verdict : verdict;
  }

  for (const path of open) {
    const found = await follow(path);
    if (found === undefined) break;
    const verdict = await confirm(found.path, found.asked.verdict);
    if (!goesOn(verdict)) return { port: place.port, path: found.path, verdict, requests };
    first ??= { path: found.path, verdict };
    const { suggested } = found.asked;
    if (suggested !== undefined && open.length < MAX_PATHS && !open.includes(suggested)) open.push(suggested);
  }
  first ??= { path: paths[0] ?? '/', verdict: { key: 'waiting' } };
  return { port: place.port, ...first, requests };
}

/**
 * Whether another path of the port is worth a request. After a refusal, a failure or a timeout it is not, and it would leave one more
 * error in somebody's log: each request that Django refuses is an ERROR line, and often a mail.
 */
function goesOn({ key }: Verdict): boolean {
  return key === 'not_found' || key === 'html' || key === 'json' || key === 'other_text';
}
