import { after } from 'node:test';
import { parseArgs } from 'node:util';
import { asking } from '../harness/installation/asking.ts';
import { badInput } from '../harness/installation/bad-input.ts';
import { certificates } from '../harness/installation/certificates.ts';
import { dashboard } from '../harness/installation/dashboard.ts';
import { doctor } from '../harness/installation/doctor.ts';
import { explainPiped } from '../harness/installation/explain-piped.ts';
import { lifecycle } from '../harness/installation/lifecycle.ts';
import { networkPolicies } from '../harness/installation/network-policies.ts';
import { outage } from '../harness/installation/outage.ts';
import { platforms } from '../harness/installation/platforms.ts';
import { readme } from '../harness/installation/readme.ts';
import { size } from '../harness/installation/size.ts';
import { closeSetup, keepSetup } from '../harness/installation/setup.ts';
import { fromInstallToTarget } from '../harness/installation/target.ts';
import { troubleshooting } from '../harness/installation/troubleshooting.ts';

// From `helm install` to a target that is up, on a real node, in the order of what a person does. What a step needs to be
// there, it sees to, so that it can be run alone, and `--keep` leaves the node for the next one:
// npm run test:cluster -- --only installation -- --step=outage --keep
const { values } = parseArgs({
  options: {
    step: { type: 'string', multiple: true },
    keep: { type: 'boolean' },
    // Of the step `doctor`: a fault by its name.
    fault: { type: 'string', multiple: true },
  },
});
const STEPS: Readonly<Record<string, () => void>> = {
  target: fromInstallToTarget,
  troubleshooting,
  'explain-piped': explainPiped,
  size,
  outage,
  dashboard,
  doctor: () => doctor(values.fault),
  asking,
  lifecycle: () => lifecycle('helm'),
  'lifecycle-with-helm-3': () => lifecycle('helm-3'),
  certificates,
  'network-policies': networkPolicies,
  platforms,
  readme,
  'bad-input': badInput,
};

const chosen = values.step ?? Object.keys(STEPS);
const unknown = chosen.filter((name) => !Object.hasOwn(STEPS, name));
if (unknown.length > 0) {
  throw new Error(`no such step: ${unknown.join(', ')}; there are ${Object.keys(STEPS).join(', ')}`);
}
if (values.keep === true) keepSetup();
for (const name of chosen) STEPS[name]?.();
after(closeSetup);
