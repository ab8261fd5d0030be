/**
 * What is known of the pods of a kind without a pod template: there are none; its operator makes them; or, of other custom
 * resources, nothing.
 */
export type PodsOfKind = 'none' | 'by_operator' | 'unknown';

/** Returns the API group: empty for the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

/** Returns the kind with its group where others may use the same word: `Deployment`, but `Service.serving.knative.dev`. */
export function qualifiedKind(apiVersion: string, kind: string): string {
  const group = groupOf(apiVersion);
  return isBuiltIn(group) || kind === '' ? kind : `${kind}.${group}`;
}

/** Returns whether the group is one of Kubernetes' own, in which a kind means what it does there. */
export function isBuiltIn(group: string): boolean {
  return !group.includes('.') || group.endsWith('.k8s.io');
}

/** Groups whose objects describe pods of others: what looks like a template in them makes no pods. */
const DESCRIBES_PODS = /(?:^|\.)(?:kyverno\.io|gatekeeper\.sh|apiextensions\.k8s\.io|admissionregistration\.k8s\.io)$/;

/** Returns whether a pod template in such an object makes pods. A ControllerRevision only records one. */
export function mayHoldTemplate(apiVersion: string, kind: string): boolean {
  return kind !== 'ControllerRevision' && !DESCRIBES_PODS.test(groupOf(apiVersion));
}

/** Kinds of which an operator makes pods that are nowhere in the object; `undefined` means every kind of the group. */
const OPERATORS: ReadonlyMap<string, readonly string[] | undefined> = new Map([
  [
    'kafka.strimzi.io',
    ['Kafka', 'KafkaBridge', 'KafkaConnect', 'KafkaMirrorMaker', 'KafkaMirrorMaker2', 'KafkaNodePool'],
  ],
  ['monitoring.coreos.com', ['Alertmanager', 'Prometheus', 'PrometheusAgent', 'ThanosRuler']],
  ['k8s.keycloak.org', ['Keycloak']],
  ['opentelemetry.io', ['OpenTelemetryCollector', 'TargetAllocator']],
  ['jaegertracing.io', ['Jaeger']],
  ['grafana.integreatly.org', ['Grafana']],
  ['loki.grafana.com', ['LokiStack']],
  ['tempo.grafana.com', ['TempoMonolithic', 'TempoStack']],
  ['operator.victoriametrics.com', undefined],
  ['postgresql.cnpg.io', ['Cluster', 'Pooler']],
  ['acid.zalan.do', ['postgresql']],
  ['postgres-operator.crunchydata.com', ['PGAdmin', 'PGUpgrade', 'PostgresCluster']],
  ['mysql.oracle.com', ['InnoDBCluster']],
  ['k8s.mariadb.com', ['MariaDB', 'MaxScale']],
  ['psmdb.percona.com', ['PerconaServerMongoDB']],
  ['pxc.percona.com', ['PerconaXtraDBCluster']],
  ['mongodbcommunity.mongodb.com', ['MongoDBCommunity']],
  ['elasticsearch.k8s.elastic.co', ['Elasticsearch']],
  ['kibana.k8s.elastic.co', ['Kibana']],
  ['logstash.k8s.elastic.co', ['Logstash']],
  ['beat.k8s.elastic.co', ['Beat']],
  ['opensearch.opster.io', ['OpenSearchCluster']],
  ['rabbitmq.com', ['RabbitmqCluster']],
  ['redis.redis.opstreelabs.in', ['Redis', 'RedisCluster', 'RedisReplication', 'RedisSentinel']],
  ['databases.spotahome.com', ['RedisFailover']],
  ['cassandra.datastax.com', ['CassandraDatacenter']],
  ['scylla.scylladb.com', ['ScyllaCluster']],
  ['clickhouse.altinity.com', ['ClickHouseInstallation']],
  ['minio.min.io', ['Tenant']],
  ['ceph.rook.io', ['CephCluster', 'CephFilesystem', 'CephObjectStore']],
  ['zookeeper.pravega.io', ['ZookeeperCluster']],
  ['pulsar.streamnative.io', undefined],
  ['flink.apache.org', ['FlinkDeployment', 'FlinkSessionJob']],
  ['sparkoperator.k8s.io', ['ScheduledSparkApplication', 'SparkApplication']],
  ['argoproj.io', ['ArgoCD', 'CronWorkflow', 'Workflow']],
  ['tekton.dev', ['PipelineRun', 'TaskRun']],
  ['serving.kserve.io', ['InferenceGraph', 'InferenceService', 'LLMInferenceService']],
  ['serving.knative.dev', ['Revision']],
  ['actions.github.com', ['AutoscalingRunnerSet', 'EphemeralRunner', 'EphemeralRunnerSet']],
  ['helm.toolkit.fluxcd.io', ['HelmRelease']],
]);

/** Groups of custom resources without pods. */
const WITHOUT_PODS =
  /(?:^|\.)(?:cert-manager\.io|istio\.io|kyverno\.io|gatekeeper\.sh|monitoring\.coreos\.com|k8s\.cni\.cncf\.io)$/;

/** Returns what is known of the pods of a kind. */
export function podsOfKind(apiVersion: string, kind: string): PodsOfKind {
  const group = groupOf(apiVersion);
  if (OPERATORS.has(group)) {
    const kinds = OPERATORS.get(group);
    if (kinds === undefined || kinds.includes(kind)) return 'by_operator';
  }
  return isBuiltIn(group) || WITHOUT_PODS.test(group) ? 'none' : 'unknown';
}
