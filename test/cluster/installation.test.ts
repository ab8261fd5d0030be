import { after } from 'node:test';
import { badInput } from './installation/bad-input.ts';
import { certificates } from './installation/certificates.ts';
import { dashboard } from './installation/dashboard.ts';
import { life } from './installation/life.ts';
import { older } from './installation/older.ts';
import { outage } from './installation/outage.ts';
import { closeStage } from './installation/stage.ts';
import { fromInstallToTarget } from './installation/target.ts';

// From `helm install` to a target that is up, on a real node, in the order of what a person does. Each step can also be
// run alone: what it needs to be there, it sees to.
fromInstallToTarget();
outage();
dashboard();
life('helm');
life('helm-3');
certificates();
badInput();
older();

after(closeStage);
