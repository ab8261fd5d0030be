import { after } from 'node:test';
import { parseArgs } from 'node:util';
import { badInput } from './installation/bad-input.ts';
import { certificates } from './installation/certificates.ts';
import { dashboard } from './installation/dashboard.ts';
import { life } from './installation/life.ts';
import { older } from './installation/older.ts';
import { outage } from './installation/outage.ts';
import { readme } from './installation/readme.ts';
import { size } from './installation/size.ts';
import { closeStage, keepStage } from './installation/stage.ts';
import { fromInstallToTarget } from './installation/target.ts';
import { troubleshooting } from './installation/troubleshooting.ts';

// From `helm install` to a target that is up, on a real node, in the order of what a person does. What a step needs to be
// there, it sees to, so that it can be run alone, and `--keep` leaves the node for the next one:
// npm run test:cluster -- --only installation -- --step=outage --keep
const STEPS: Readonly<Record<string, () => void>> = {
  target: fromInstallToTarget,
  troubleshooting,
  size,
  outage,
  dashboard,
  life: () => life('helm'),
  'life-with-helm-3': () => life('helm-3'),
  certificates,
  readme,
  'bad-input': badInput,
  older,
};

const { values } = parseArgs({ options: { step: { type: 'string', multiple: true }, keep: { type: 'boolean' } } });
const chosen = values.step ?? Object.keys(STEPS);
const unknown = chosen.filter((name) => !Object.hasOwn(STEPS, name));
if (unknown.length > 0) {
  throw new Error(`no such step: ${unknown.join(', ')}; there are ${Object.keys(STEPS).join(', ')}`);
}
if (values.keep === true) keepStage();
for (const name of chosen) STEPS[name]?.();
after(closeStage);
