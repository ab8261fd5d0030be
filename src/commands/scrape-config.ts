import { loadRules } from '../rules/load.ts';
import { renderConfig, SCRAPERS } from '../scrape-config/render-config.ts';
import { Command, nonEmpty, Option } from './options.ts';
import { examples } from './help.ts';

const flags = new Command('scrape-config')
  .description(
    'Prints what a scraper needs to read the annotations of pods: one job for the keys that every scraper knows, and one for each numbered key.',
  )
  .addOption(new Option('--for <scraper>', 'the scraper').choices([...SCRAPERS]).makeOptionMandatory())
  .addOption(
    new Option(
      '--values',
      "as values of the chart that usually installs it, without what that chart reads by itself (not for the operator: autoscrape's chart has it, bridge.enabled)",
    ),
  )
  .addOption(new Option('--rules <file>', 'rules file, for its annotation keys').argParser(nonEmpty))
  .addHelpText(
    'after',
    examples(
      ['What do I put into prometheus.yml?', 'autoscrape scrape-config --for prometheus'],
      [
        'For the chart prometheus-community/prometheus',
        'autoscrape scrape-config --for prometheus --values > scrape.yaml && helm upgrade prometheus prometheus-community/prometheus --reuse-values -f scrape.yaml',
      ],
      ['For the Prometheus Operator', 'autoscrape scrape-config --for operator | kubectl apply -n monitoring -f -'],
    ),
  );

/** `autoscrape scrape-config`. */
export const command = flags.action(async ({ for: scraper, values, rules: file }, self) => {
  if (scraper === 'operator' && values === true)
    return self.error(
      "error: --values is not for the operator: set bridge.enabled=true in the values of autoscrape's chart",
    );
  const { annotationKeys } = await loadRules(file);
  process.stdout.write(renderConfig(scraper, annotationKeys, values === true));
  return undefined;
});
