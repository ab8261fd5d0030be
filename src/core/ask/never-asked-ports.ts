// Ports where one GET does harm, or logs an error or an alarm. The list cannot be complete, so a
// port is only asked where something indicates HTTP; the list excludes ports where that is
// misleading. A port that the kubelet GETs is asked in any case, because one more GET changes
// nothing there.

/** One kind of server that must not be asked, how its ports are known, and why. */
export interface NeverAsk {
  /** A stable name, for logs and reasons. */
  readonly kind: string;
  /** Parts of a port's name between hyphens; with `*` at the end, beginnings of such parts. */
  readonly names: readonly string[];
  /** Numbers and inclusive ranges. They apply where the port's name tells nothing. */
  readonly numbers: readonly (number | readonly [number, number])[];
  readonly why: string;
  /** The public issue or page that is the source. */
  readonly source: string;
}

export const NEVER_ASK: readonly NeverAsk[] = [
  {
    kind: 'debugger',
    names: words('debug debugger jdwp dlv delve debugpy pydevd inspect inspector'),
    numbers: [2345, 5005, 9229, 40_000],
    why: 'One request ends a headless dlv, and the program with it.',
    source: 'https://github.com/go-delve/delve/issues/1393',
  },
  {
    kind: 'training',
    names: words('master rendezvous torch pytorchjob-port tfjob-port nccl mpi gloo horovod'),
    numbers: [2222, 23_456, 29_400, 29_500],
    why: 'A scan was read as a query, and training ran out of memory.',
    source: 'https://github.com/pytorch/pytorch/issues/106294',
  },
  {
    kind: 'length-prefixed rpc',
    names: words('thrift nimbus metastore hiveserver rpc fabric driver blockmanager'),
    numbers: [6123, 6627, [7077, 7079], 8020, 9083, 9160, 10_000, 16_000, 16_020],
    why: '"GET " read as a length is 1,195,725,856 bytes: the server runs out of memory.',
    source: 'https://github.com/apache/storm/issues/5940',
  },
  {
    kind: 'mysql',
    names: words('mysql mysqlx mariadb galera wsrep ist sst xtrabackup proxysql db database dbapi'),
    numbers: [3306, 3307, 33_060, 33_061, 4567, 4568, 6032, 6033],
    why: "Connections without a handshake are counted, and in the end our address is blocked (error 1129), which may be the node's.",
    source: 'https://github.com/gravitational/teleport/issues/58331',
  },
  {
    kind: 'mail and login',
    names: words('smtp smtps submission imap imaps pop3 pop3s ftp sftp ssh sip telnet'),
    numbers: [21, 22, 23, 25, 110, 143, 465, 587, 993, 995, 2525, 5060, 5061],
    why: 'A command of another protocol gets the caller banned.',
    source: 'https://github.com/crowdsecurity/hub/issues/1145',
  },
  {
    kind: 'redis',
    names: words('redis sentinel valkey keydb cluster-bus'),
    numbers: [6379, 6380, 16_379, 26_379],
    why: 'The server logs "Possible SECURITY ATTACK detected", with our address.',
    source: 'https://github.com/argoproj/argo-cd/issues/23159',
  },
  {
    kind: 'postgres',
    names: words('postgres* pg pgbouncer psql'),
    numbers: [5432, 5433, 6432],
    why: 'The server logs "invalid length of startup packet".',
    source: 'https://github.com/sclorg/postgresql-container/issues/195',
  },
  {
    kind: 'kafka and zookeeper',
    names: words('kafka broker controller plaintext sasl* zookeeper zk peer election leader-election'),
    numbers: [2181, 2888, 3888, 9092, 19_092, 29_092],
    why: 'The server logs "Invalid receive" with a size of 1,195,725,856.',
    source: 'https://kafka.apache.org/protocol#protocol_common',
  },
  {
    kind: 'messaging',
    names: words('amqp amqps epmd dist stomp openwire mqtt mqtts'),
    numbers: [1883, 8883, 4369, 5671, 5672, 25_672, 61_613, 61_616],
    why: 'The server writes the whole request into its log.',
    source: 'https://github.com/vernemq/vernemq/issues/1237',
  },
  {
    kind: 'http/2',
    names: words('grpc h2c http2 otlp jaeger-grpc'),
    numbers: [4317, 14_250, 50_051],
    why: 'The server logs "received bogus greeting from client".',
    source: 'https://github.com/jaegertracing/jaeger-operator/issues/1002',
  },
  {
    kind: 'tls',
    names: words('https tls ssl webhook webhook-server'),
    numbers: [443, 6443, 8443, 9443],
    why: 'A warning each in Go, nginx and Elasticsearch.',
    source: 'https://github.com/elastic/cloud-on-k8s/issues/6231',
  },
  {
    kind: 'binary',
    names: words(
      'mongo* cassandra cql jmx rmi bolt clickhouse-native native binary client gremlin hazelcast ignite',
      'jgroups gossip memberlist serf* raft transport inter-node cluster intra',
    ),
    numbers: [
      7000,
      7001,
      7199,
      9042,
      9142,
      9300,
      7687,
      5701,
      47_100,
      47_500,
      10_800,
      7800,
      7946,
      8400,
      4222,
      6222,
      7422,
      6650,
      7233,
      28_015,
      29_015,
      31_010,
      32_010,
      2380,
      11_211,
      1433,
      1521,
      [27_017, 27_019],
      [8300, 8302],
    ],
    why: 'The server logs an error or a stack trace.',
    source: 'https://www.iana.org/assignments/service-names-port-numbers',
  },
  {
    kind: 'other protocol',
    names: words(
      'dns ldap ldaps kerberos ntp syslog statsd graphite forward beats gelf nfs rtmp rtsp stun turn rdp',
      'vnc ajp fastcgi php-fpm uwsgi tcp-* udp-*',
    ),
    numbers: [
      53, 88, 111, 389, 464, 514, 636, 853, 1935, 2003, 2004, 2049, 3389, 3478, 3260, 445, 5044, 5900, 6514, 12_201,
      24_224,
    ],
    why: 'The port speaks another protocol.',
    source: 'https://www.iana.org/assignments/service-names-port-numbers',
  },
  {
    kind: 'injected',
    names: [],
    numbers: [[15_000, 15_090], 4143, 4190, 4191, 3500, 50_001, 50_002],
    why: "The port is a service mesh's or Dapr's, not the application's.",
    source: 'https://istio.io/latest/docs/ops/deployment/application-requirements/#ports-used-by-istio',
  },
];

/** Names, written in lines. */
function words(...lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split(' '));
}

/** Returns why the name says that the port must not be asked, or undefined where it doesn't. */
export function neverByName(name: string): NeverAsk | undefined {
  const words = `-${name.toLowerCase()}-`;
  return NEVER_ASK.find(({ names }) => names.some((known) => holds(words, known)));
}

/** `tcp-*` matches only names that continue after `tcp-`: the name `tcp` alone tells nothing. */
function holds(words: string, known: string): boolean {
  if (!known.endsWith('*')) return words.includes(`-${known}-`);
  const stem = `-${known.slice(0, -1)}`;
  const at = words.indexOf(stem);
  return at >= 0 && at + stem.length < words.length;
}

/** Returns why the number says that the port must not be asked, or undefined where it doesn't. */
export function neverByNumber(number: number): NeverAsk | undefined {
  return NEVER_ASK.find(({ numbers }) =>
    numbers.some((known) => (typeof known === 'number' ? known === number : number >= known[0] && number <= known[1])),
  );
}
