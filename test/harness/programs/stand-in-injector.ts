import { once } from 'node:events';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { createAuthority } from '../../../src/webhook/certificate-authority.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Target } from '../autoscrape/client.ts';

/** An operation of JSON Patch, as injectors send them. */
export type Operation = Readonly<{ op: 'add' | 'replace'; path: string; value: unknown }>;

/** A webhook that stands in for other people's injectors, such as Istio's. */
export interface StandInInjector extends Target {
  close(): Promise<void>;
}

/** Starts a webhook in this process that answers each pod with what `inject` makes of it. */
export async function startStandInInjector(
  inject: (pod: JsonObject) => readonly Operation[],
): Promise<StandInInjector> {
  const authority = createAuthority();
  const { certificate, key } = authority.issue({ names: ['127.0.0.1'] });
  const server = createServer({ cert: certificate, key }, (request, response) => {
    void (async () => {
      const { request: call }: { request: { uid: string; object: JsonObject } } = JSON.parse(await text(request));
      const patch = Buffer.from(JSON.stringify(inject(call.object))).toString('base64');
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          apiVersion: 'admission.k8s.io/v1',
          kind: 'AdmissionReview',
          response: { uid: call.uid, allowed: true, patchType: 'JSONPatch', patch },
        }),
      );
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  return {
    port: address.port,
    ca: authority.certificate,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
