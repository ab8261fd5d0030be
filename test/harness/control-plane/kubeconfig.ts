import { writeFile } from 'node:fs/promises';

/** Writes a kubeconfig for one user of one cluster to `path`, as JSON, which is YAML too, and returns the path. */
export async function writeKubeconfig(path: string, server: string, caFile: string, token: string): Promise<string> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  };
  await writeFile(path, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return path;
}
