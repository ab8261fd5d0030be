import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { at, CHART, list } from '../chart/render.ts';
import { waitFor } from '../process/wait-for.ts';
import { installed, getSetup } from './setup.ts';

/** The dashboard, asked of the Prometheus that has scraped the installation. */
export function dashboard(): void {
  suite('the dashboard', () => {
    test('has data for every query', async (t) => {
      const opened = await getSetup();
      await installed(opened);
      const queries = await dashboardQueries();
      assert.ok(queries.length > 20, `${queries.length} queries`);
      for (const { title, query } of queries) {
        await waitFor(`data of the panel ${title}: ${query}`, async () => {
          const samples = await opened.prometheus.query(query);
          return samples.some(({ value }) => Number.isFinite(value));
        });
      }
      t.diagnostic(`${queries.length} queries`);
    });
  });
}

async function dashboardQueries(): Promise<{ title: string; query: string }[]> {
  const board: unknown = JSON.parse(await readFile(join(CHART, 'files', 'dashboard.json'), 'utf8'));
  // As Grafana fills in a variable of which all values are chosen.
  const variables = list(board, 'templating', 'list').filter((variable) => at(variable, 'includeAll') === true);
  const filledIn = (query: string): string =>
    variables.reduce<string>(
      (text, variable) => text.replaceAll(`$${String(at(variable, 'name'))}`, String(at(variable, 'allValue'))),
      query.replaceAll('$__rate_interval', '1m'),
    );
  return list(board, 'panels').flatMap((panel) =>
    list(panel, 'targets').map((target) => ({
      title: String(at(panel, 'title')),
      query: filledIn(String(at(target, 'expr'))),
    })),
  );
}
