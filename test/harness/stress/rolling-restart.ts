import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import { startServe, temporaryFolder, writePair } from '../autoscrape/serving.ts';
import type { Scope } from '../autoscrape/serving.ts';
import { startLoad } from '../autoscrape/load.ts';
import { underScope } from './scope.ts';

// `node test/harness/stress/rolling-restart.ts [ROUNDS]`: of two replicas under 200 reviews a second, one gets SIGTERM and
// only 2 s later leaves the endpoints, as kube-proxy's rules do; then it comes back. In between the certificate files are
// swapped. Exit code 0 only if no call was lost, each new certificate was seen by the calls to the replica that stayed, and
// there were calls enough for that to mean something.

const ROUNDS = Number(process.argv[2] ?? 10);
const CALLS_PER_SECOND = 200;
/** A tenth of the calls that fit into the time at that rate: a busy machine makes fewer calls, but no restart goes without any. */
const LEAST_CALLS_A_RESTART = 200;

await underScope(restart);

async function restart(scope: Scope): Promise<number> {
  const authority = createAuthority();
  const certDir = await temporaryFolder(scope);
  await writePair(authority, certDir);
  const setting = { authority, certDir };
  let [one, other] = await Promise.all([startServe(scope, setting), startServe(scope, setting)]);
  const endpoints = { ports: [one.port, other.port] };
  const load = startLoad(endpoints, authority.certificate, { callsPerSecond: CALLS_PER_SECOND });
  await sleep(1000);
  let swapped = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const told = performance.now();
    one.kill('SIGTERM');
    await writePair(authority, certDir);
    const { serialNumber } = new X509Certificate(await readFile(join(certDir, 'tls.crt')));
    await sleep(2000);
    endpoints.ports = [other.port];
    const seconds = ((performance.now() - told) / 1000).toFixed(1);
    const code = await one.exited;
    const isSeen = () => load.certificatesOf(other.port).has(serialNumber);
    // The connections that are there may be older than the certificate.
    for (let tries = 0; !isSeen() && tries < 100; tries++) {
      load.dropIdle();
      await sleep(100);
    }
    if (isSeen()) swapped++;
    [one, other] = [other, await startServe(scope, setting)];
    endpoints.ports = [one.port, other.port];
    await sleep(500);
    console.error(`round ${round} of ${ROUNDS}: out of the endpoints after ${seconds} s, exit code ${code}`);
  }
  const { calls, lost, repeated, connections, perSecond } = await load.stop();
  const made = [...connections.values()].reduce((sum, count) => sum + count, 0);
  console.log(`${calls} calls on ${made} connections in ${ROUNDS} restarts: ${lost.length} lost, ${repeated} repeated`);
  console.log(`${Math.round(perSecond)} calls a second, of ${CALLS_PER_SECOND} that were to be made`);
  console.log(`${swapped} of ${ROUNDS} certificates were taken over by the replica that stayed`);
  for (const loss of lost) console.log(loss);
  return lost.length === 0 && swapped === ROUNDS && calls >= ROUNDS * LEAST_CALLS_A_RESTART ? 0 : 1;
}
