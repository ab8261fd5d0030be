import { cpus, totalmem } from 'node:os';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { benchAdmission } from './admission.ts';
import { benchDecide } from './decide.ts';
import { benchDirect } from './direct.ts';
import { table } from './statistics.ts';
import { bundleOf } from './webhooks.ts';

// `npm run bench`: what a decision costs, what a review costs the webhook, and what the webhook adds to the creation of a pod.
// Read the ratios: each run compares what it measures within itself, and its milliseconds are those of its machine.
// `npm run bench -- CHECKOUT` measures the version of another checkout beside this one; build both before. With --direct
// nothing of Kubernetes is needed. bench/reconcile.ts is the other benchmark.

const args = process.argv.slice(2);
const others = args.filter((arg) => arg !== '--direct').map((path) => resolve(path));

if ([bundleOf(), ...others.map((other) => bundleOf(other))].every((path) => existsSync(path))) {
  const [cpu] = cpus();
  console.log(
    `${cpus().length} × ${cpu?.model ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}\n`,
  );
  console.log(`${benchDecide()}\n`);
  const direct = await benchDirect(others);
  console.log(`${direct.text}\n`);
  const figures = [...direct.figures];
  if (!args.includes('--direct')) {
    const admission = await benchAdmission(others);
    console.log(`${admission.text}\n`);
    figures.unshift(...admission.figures);
  }
  console.log('What the bars are about:\n');
  console.log(table([['autoscrape', ...others, 'this version'], ...figures]));
} else {
  console.error('a bundle to be measured is not there: npm run build');
  process.exitCode = 1;
}
