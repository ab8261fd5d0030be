import type { Place } from '../core/ask/redirect.ts';
import { askPort } from './ask-port.ts';
import type { AskTools, PortAsked } from './ask-port.ts';
import { MAX_PORTS, MAX_REQUESTS } from './limits.ts';

/** A port to ask, and where. */
export interface PortToAsk {
  readonly port: number;
  readonly paths: readonly string[];
}

/**
 * Asks the ports of one pod one after the other, at most eight, with at most twelve requests in all. Returns what each has shown; a
 * port for which no request was left is `waiting`.
 */
export async function askPod(
  address: string,
  ports: readonly PortToAsk[],
  tools: AskTools,
): Promise<readonly PortAsked[]> {
  let left = MAX_REQUESTS;
  const counting: AskTools = {
    ...tools,
    async mayAsk(place: Place, path: string) {
      if (left === 0 || !(await tools.mayAsk(place, path))) return false;
      left--;
      return true;
    },
  };
  const answers: PortAsked[] = [];
  for (const { port, paths } of ports.slice(0, MAX_PORTS)) {
    answers.push(await askPort({ address, port }, paths, counting));
  }
  return answers;
}

/** Which of several ports comes first: the one with the lowest rank. */
export interface RankedPort {
  readonly port: number;
  readonly rank: number;
}

/**
 * Returns the port to annotate: of those that serve metrics, the one with the lowest rank among those with more than the client
 * library's own, or else among all. Undefined where none does.
 */
export function choosePort(answers: readonly PortAsked[], ranked: readonly RankedPort[]): PortAsked | undefined {
  const ranks = new Map(ranked.map(({ port, rank }) => [port, rank]));
  const rankOf = ({ port }: PortAsked): number => ranks.get(port) ?? Number.MAX_SAFE_INTEGER;
  const serving = answers
    .filter(({ verdict }) => verdict.key === 'metrics' || verdict.key === 'metrics_empty')
    .toSorted((a, b) => rankOf(a) - rankOf(b));
  return serving.find(({ verdict }) => verdict.key === 'metrics' && verdict.beyondRuntime) ?? serving[0];
}
