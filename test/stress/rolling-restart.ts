import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../scripts/throwaway-certificate.ts';
import { startServe, temporaryFolder, writePair } from '../commands/serving.ts';
import type { Scope } from '../commands/serving.ts';
import { startLoad } from '../webhook/load.ts';
import { underScope } from './scope.ts';

// `node test/stress/rolling-restart.ts [ROUNDS]`: of two replicas under 200 reviews a second, one is told to stop and
// only 2 s later leaves the endpoints, as kube-proxy's rules do; then it comes back. In between the certificate files are
// swapped. Exit code 0 only if no call was lost.

const ROUNDS = Number(process.argv[2] ?? 10);
const CALLS_PER_SECOND = 200;

await underScope(restart);

async function restart(scope: Scope): Promise<number> {
  const authority = createAuthority();
  const certDir = await temporaryFolder(scope);
  await writePair(authority, certDir);
  const setting = { authority, certDir };
  let [one, other] = await Promise.all([startServe(scope, setting), startServe(scope, setting)]);
  const endpoints = { ports: [one.port, other.port] };
  const load = startLoad(endpoints, authority.certificate, CALLS_PER_SECOND);
  await sleep(1000);
  for (let round = 1; round <= ROUNDS; round++) {
    const told = performance.now();
    one.kill('SIGTERM');
    await writePair(authority, certDir);
    await sleep(2000);
    endpoints.ports = [other.port];
    const seconds = ((performance.now() - told) / 1000).toFixed(1);
    const code = await one.exited;
    [one, other] = [other, await startServe(scope, setting)];
    endpoints.ports = [one.port, other.port];
    await sleep(500);
    console.error(`round ${round} of ${ROUNDS}: out of the endpoints after ${seconds} s, exit code ${code}`);
  }
  const { calls, lost, repeated, connections } = await load.stop();
  const made = [...connections.values()].reduce((sum, count) => sum + count, 0);
  console.log(`${calls} calls on ${made} connections in ${ROUNDS} restarts: ${lost.length} lost, ${repeated} repeated`);
  for (const loss of lost) console.log(loss);
  return lost.length === 0 ? 0 : 1;
}
