import { dirname } from 'node:path';
import { styleText } from 'node:util';
import { component } from './build/components.ts';
import { onInterruption } from './process/interruption.ts';
import { PROMETHEUS } from './installation/prometheus-pod.ts';
import { openSetup, waitUntilAnnotating } from './installation/setup.ts';
import { podsOf } from './installation/workload.ts';
import { waitFor } from './process/wait-for.ts';

// What a newcomer sees second: a whole Kubernetes node with cert-manager and Prometheus, `helm install`, and the sample
// as a target that is up. It all keeps running, to be played with, until Ctrl-C takes it away again.

const QUERY = 'rate(count_total[1m])';
const SAMPLE = 'autoscrape-sample';

try {
  await demonstrate();
} catch (error) {
  say('', `${styleText('red', '✘')} ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof Error && error.cause instanceof Error) say(`  ${error.cause.message}`);
  process.exit(1);
}

async function demonstrate(): Promise<void> {
  say('', styleText('bold', 'autoscrape on a cluster: from helm install to a target that is up'), '');
  const tools = await Promise.all([component('helm'), component('kubectl')]);
  const setup = await timed('a cluster with cert-manager, Prometheus and the image', () => openSetup({ keep: false }));
  onInterruption(() => say('', 'Taking it all away again …'));
  await timed('helm install autoscrape ./chart -n autoscrape --create-namespace --set sample.enabled=true', () =>
    setup.helm.install('--set=sample.enabled=true'),
  );
  const target = await timed('Prometheus has the sample as a target, and it is up', () =>
    setup.prometheus.upTarget({ namespace: SAMPLE }),
  );
  await timed('pods of opted-in namespaces are annotated as they are created', () => waitUntilAnnotating(setup));
  const rate = await timed(`${QUERY} has something to say`, () =>
    waitFor(
      QUERY,
      async () => {
        const [sample] = await setup.prometheus.query(`${QUERY} > 0.1`);
        return sample?.value;
      },
      { seconds: 90, everyMs: 500 },
    ),
  );
  const [pod] = await podsOf(setup.request, SAMPLE, 'app.kubernetes.io/component=sample');

  say('', styleText('bold', 'The sample, whose manifest says nothing of scraping'), '');
  for (const [key, value] of Object.entries(pod?.annotations ?? {})) say(`  ${key}: ${value}`);
  say('', styleText('bold', 'What Prometheus makes of it'), '');
  say(`  target   ${target.scrapeUrl}   ${target.health}`);
  say(`  query    ${QUERY} = ${rate.toFixed(3)} a second`);
  say('', styleText('bold', 'Try next, in another terminal of this machine'), '');
  say(`  export KUBECONFIG=${setup.kubeconfig} PATH=${tools.map(dirname).join(':')}:$PATH`, '');
  say('  # a namespace of your own, a workload in it, and only then the label:');
  say('  kubectl create namespace shop');
  say('  kubectl apply -n shop -f examples/sample.yaml');
  say('  kubectl label namespace shop autoscrape.io/inject=enabled');
  say('  kubectl get pods -n shop -o yaml | grep prometheus.io', '');
  say('  # what Prometheus says of it:');
  say(`  kubectl get --raw '${PROMETHEUS}/api/v1/query?query=up{namespace="shop"}'`, '');
  say('  # is the installation in order?');
  say('  helm test autoscrape -n autoscrape', '');
  say('It keeps running until Ctrl-C, which leaves nothing behind.');
  await forever();
}

/** Does one step, and says that it is done and how long it took. */
async function timed<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const start = performance.now();
  if (process.stderr.isTTY) process.stderr.write(`  ${what} …\r`);
  const result = await work();
  say(
    `${styleText('green', '✔')} ${what}  ${styleText('dim', `${((performance.now() - start) / 1000).toFixed(1)} s`)}`,
  );
  return result;
}

/** Never returns: the signal that ends the process finds what there is to take away. */
function forever(): Promise<never> {
  return new Promise(() => {
    setInterval(() => undefined, 60_000);
  });
}

function say(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}
