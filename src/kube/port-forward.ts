import { duplexPair, PassThrough } from 'node:stream';
import type { Duplex } from 'node:stream';
import { PortForward } from '@kubernetes/client-node';
import type { KubeConfig } from '@kubernetes/client-node';
import type { PodPort } from './pod-proxy.ts';

/**
 * Returns a connection to a pod's port by the API server (the subresource pods/portforward), which
 * enters on the pod's loopback. It fails with the kubelet's words where nothing listens there.
 * Rejects where the API server does not open it within so many milliseconds.
 */
export async function forwardPort(
  config: KubeConfig,
  { namespace, pod, port }: PodPort,
  timeoutMs: number,
): Promise<Duplex> {
  const [ours, theirs] = duplexPair();
  const errors = new PassThrough();
  errors.on('data', (words: Buffer) => ours.destroy(new Error(words.toString())));
  const opening = new PortForward(config).portForward(namespace, pod, [port], theirs, errors, theirs);
  // Also where it opens too late.
  ours.on('close', () => void opening.then(close, () => undefined));
  let timer: NodeJS.Timeout | undefined;
  try {
    const socket = await Promise.race([
      opening,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no connection within ${timeoutMs / 1000} s`)), timeoutMs);
      }),
    ]);
    if (typeof socket === 'function') throw new Error('one connection was wanted');
    socket.addEventListener('close', () => theirs.end());
  } catch (error) {
    ours.destroy();
    // The library rejects with the event of its WebSocket.
    throw new Error(error instanceof Error ? error.message : messageOf(error), { cause: error });
  } finally {
    clearTimeout(timer);
  }
  return ours;
}

function close(socket: Awaited<ReturnType<PortForward['portForward']>>): void {
  if (typeof socket !== 'function') socket.close();
}

function messageOf(event: unknown): string {
  const isEvent = typeof event === 'object' && event !== null && 'message' in event;
  return isEvent && typeof event.message === 'string' ? event.message : 'the connection was not opened';
}
