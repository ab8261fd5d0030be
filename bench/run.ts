import { cpus, totalmem } from 'node:os';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { benchAdmission } from './admission.ts';
import { benchDecide } from './decide.ts';

// `npm run bench`: what a decision costs, and what the webhook adds to the creation of a pod. Read the ratios: each run
// compares what it measures within itself, and its milliseconds are those of its machine. bench/reconcile.ts is the other one.

if (existsSync(fileURLToPath(new URL('../dist/main.js', import.meta.url)))) {
  const [cpu] = cpus();
  console.log(
    `${cpus().length} × ${cpu?.model ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}\n`,
  );
  console.log(`${benchDecide()}\n`);
  console.log(await benchAdmission());
} else {
  console.error('the bundle is measured, and it is not there: npm run build');
  process.exitCode = 1;
}
