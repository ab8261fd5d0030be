import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { askableFrom } from '../../../../src/core/ask/ready-to-ask.ts';

const READY_AT = '2026-01-01T12:00:00Z';
const RUNNING = { running: { startedAt: '2026-01-01T11:59:00Z' } };

interface Changed {
  readonly metadata?: object;
  readonly spec?: object;
  readonly status?: object;
  readonly container?: object;
  readonly ready?: object;
}

function podWith({ metadata, spec, status, container, ready }: Changed = {}): object {
  return {
    metadata: { name: 'a', ...metadata },
    spec: { containers: [{ name: 'app' }], ...spec },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: READY_AT, ...ready }],
      containerStatuses: [{ name: 'app', restartCount: 0, state: RUNNING, ...container }],
      ...status,
    },
  };
}

/** Returns after how many seconds of being ready the pod may be asked. */
function secondsAfterReady(pod: unknown, jitterMs = 0): number | undefined {
  const from = askableFrom(pod, jitterMs);
  return from === undefined ? undefined : (from - Date.parse(READY_AT)) / 1000;
}

const JOB = { ownerReferences: [{ kind: 'Job', name: 'j', controller: true }] };
const SIDECAR = { initContainers: [{ name: 'proxy', restartPolicy: 'Always' }] };

const CASES: readonly (readonly [what: string, changed: Changed, seconds: number | undefined])[] = [
  ['a pod may be asked 30 s after it became ready', {}, 30],
  ['a pod of a Job may be asked 60 s after it became ready', { metadata: JOB }, 60],
  [
    'a pod that a Job merely owns is no pod of a Job',
    { metadata: { ownerReferences: [{ kind: 'Job', name: 'j' }] } },
    30,
  ],
  [
    'a container that was restarted may be asked 5 min after its start',
    { container: { restartCount: 1, state: { running: { startedAt: '2026-01-01T11:58:00Z' } } } },
    180,
  ],
  [
    'a restart long ago changes nothing',
    { container: { restartCount: 9, state: { running: { startedAt: '2026-01-01T09:00:00Z' } } } },
    30,
  ],
  ['a pod that is not ready must not be asked', { ready: { status: 'False' } }, undefined],
  ['a pod without conditions must not be asked', { status: { conditions: undefined } }, undefined],
  ['a pod that has not started must not be asked', { status: { phase: 'Pending' } }, undefined],
  ['a pod that has ended must not be asked', { status: { phase: 'Succeeded' } }, undefined],
  ['a pod that is being deleted must not be asked', { metadata: { deletionTimestamp: READY_AT } }, undefined],
  [
    'a pod between two crashes must not be asked',
    { container: { restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } } },
    undefined,
  ],
  [
    'a pod with a container that has ended must not be asked',
    { container: { state: { terminated: { exitCode: 0 } } } },
    undefined,
  ],
  ['a pod without the status of a container must not be asked', { status: { containerStatuses: [] } }, undefined],
  ['a pod whose sidecar does not run must not be asked', { spec: SIDECAR }, undefined],
  [
    'a sidecar that was restarted counts as well',
    {
      spec: SIDECAR,
      status: {
        initContainerStatuses: [{ name: 'proxy', restartCount: 1, state: { running: { startedAt: READY_AT } } }],
      },
    },
    300,
  ],
  [
    'an init container that has ended changes nothing',
    {
      spec: { initContainers: [{ name: 'init' }] },
      status: { initContainerStatuses: [{ name: 'init', restartCount: 3, state: { terminated: { exitCode: 0 } } }] },
    },
    30,
  ],
  ['a time that cannot be read is no permission', { ready: { lastTransitionTime: 'yesterday' } }, undefined],
  [
    'a restart without a readable time is no permission',
    { container: { restartCount: 1, state: { running: {} } } },
    undefined,
  ],
];

suite('when a pod may be asked', () => {
  for (const [what, changed, seconds] of CASES) {
    test(what, () => assert.equal(secondsAfterReady(podWith(changed)), seconds));
  }

  test('jitter is added to the time', () => {
    assert.equal(secondsAfterReady(podWith(), 12_000), 42);
    assert.equal(
      secondsAfterReady(
        podWith({ container: { restartCount: 1, state: { running: { startedAt: READY_AT } } } }),
        12_000,
      ),
      312,
    );
  });

  test('no value makes it throw', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (spec, status, pod) => {
        askableFrom(pod, 0);
        askableFrom(podWith({ container: { state: status } }), 0);
        askableFrom({ metadata: spec, spec, status }, 0);
        askableFrom(podWith({ spec: { containers: spec }, status: { conditions: status } }), 0);
      }),
    );
  });
});
