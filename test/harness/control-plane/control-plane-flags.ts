/** Returns the flags of an etcd of one member. */
export function etcdFlags(dataDirectory: string, clientUrl: string, peerUrl: string): string[] {
  return [
    `--data-dir=${dataDirectory}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    // The data needn't outlive the machine's power, and waiting for its disk is most of a write's time.
    '--unsafe-no-fsync',
  ];
}

/** What every kube-apiserver of the tests is started with. */
export interface ApiServerSettings {
  readonly url: string;
  readonly etcdUrl: string;
  /** A folder for the certificate that it makes for itself. */
  readonly certificates: string;
  readonly tokenFile: string;
  readonly keys: { readonly privateKey: string; readonly publicKey: string };
  /** The addresses of Services, where something routes them. */
  readonly serviceNetwork: string | undefined;
}

/** Returns the flags that every kube-apiserver of the tests has. */
export function apiServerFlags(settings: ApiServerSettings): string[] {
  const { url, keys, serviceNetwork } = settings;
  const { hostname, port } = new URL(url);
  return [
    `--etcd-servers=${settings.etcdUrl}`,
    `--bind-address=${hostname}`,
    `--advertise-address=${hostname}`,
    `--secure-port=${port}`,
    `--cert-dir=${settings.certificates}`,
    `--token-auth-file=${settings.tokenFile}`,
    '--authorization-mode=Node,RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-signing-key-file=${keys.privateKey}`,
    `--service-account-key-file=${keys.publicKey}`,
    `--service-cluster-ip-range=${serviceNetwork ?? '10.96.0.0/16'}`,
    // A loopback address, where nothing routes Services, can't be the endpoint of the Service "kubernetes".
    ...(serviceNetwork === undefined ? ['--endpoint-reconciler-type=none'] : []),
    // Nothing resolves a node's name.
    '--kubelet-preferred-address-types=InternalIP',
  ];
}
