import { duplexPair, PassThrough } from 'node:stream';
import type { Duplex } from 'node:stream';
import { PortForward } from '@kubernetes/client-node';
import type { KubeConfig } from '@kubernetes/client-node';
import type { PodPort } from './pod-proxy.ts';

/**
 * Returns a connection to a pod's port by the API server (the subresource pods/portforward), which
 * enters on the pod's loopback. It fails with the kubelet's words where nothing listens there.
 * Rejects where the API server does not open it.
 */
export async function forwardPort(config: KubeConfig, { namespace, pod, port }: PodPort): Promise<Duplex> {
  const [ours, theirs] = duplexPair();
  const errors = new PassThrough();
  errors.on('data', (words: Buffer) => ours.destroy(new Error(words.toString())));
  try {
    const socket = await new PortForward(config).portForward(namespace, pod, [port], theirs, errors, theirs);
    if (typeof socket === 'function') throw new Error('one connection was wanted');
    socket.addEventListener('close', () => theirs.end());
    ours.on('close', () => socket.close());
  } catch (error) {
    ours.destroy();
    // The library rejects with the event of its WebSocket.
    throw new Error(error instanceof Error ? error.message : messageOf(error), { cause: error });
  }
  return ours;
}

function messageOf(event: unknown): string {
  const isEvent = typeof event === 'object' && event !== null && 'message' in event;
  return isEvent && typeof event.message === 'string' ? event.message : 'the connection was not opened';
}
