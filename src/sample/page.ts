/** Returns the sample app's front page as HTML, with the value of its counter and a link to its metrics. */
export function renderPage(count: number): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>autoscrape sample</title>
<style>
  body { font: 18px/1.5 system-ui, sans-serif; max-width: 34em; margin: 4em auto; padding: 0 1em; color: #222 }
  output { font-size: 3em; color: #c43e1c } code { background: #f2f2f2; padding: .1em .3em }
</style>
<h1>autoscrape sample</h1>
<p><output>${count}</output></p>
<p>This app has one metric of its own, <code>count_total</code>. It grows by 0.1 at random intervals of less than a
second. <a href="/metrics">/metrics</a> shows it in Prometheus' text format.</p>
<p>In Prometheus, query <code>rate(count_total[1m])</code>: once this pod is a target, it is about 0.2 per second.</p>
</html>
`;
}
