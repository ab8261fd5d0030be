import type { DialectName } from '../annotations/dialects/dialects.ts';
import type { AnnotationKeys } from '../annotations/scrape-keys.ts';
import type { Catalogue } from './catalogue.ts';
import type { Framework } from '../pod/framework-settings.ts';
import type { Pattern } from './re2-pattern.ts';
import type { Sign } from './needed-signs.ts';
import type { RulesFile } from './schema.ts';
import type { NoEndpoint } from '../skip-reason.ts';
import type { LabelRequirement } from './selector.ts';
import type { Setting } from './flag-or-variable.ts';

/**
 * The conditions of a rule. A rule matches where all of them hold for one container and one port.
 * Every rule has every field, because objects of one shape are read several times faster, and all
 * rules are read for every pod.
 */
export interface Conditions {
  readonly namespace: Pattern | undefined;
  readonly podLabels: readonly LabelRequirement[] | undefined;
  readonly container: Pattern | undefined;
  readonly image: Pattern | undefined;
  readonly portName: Pattern | undefined;
  readonly otherPortName: Pattern | undefined;
  readonly portNumber: readonly number[] | undefined;
  readonly probePath: Pattern | undefined;
  readonly argument: Pattern | undefined;
  /** Of which every argument that matches contains one; undefined where nothing is certain. */
  readonly argumentFragments: readonly string[] | undefined;
  readonly env: Setting | undefined;
  readonly setting: Setting | undefined;
  /** A variable counts, too, where its value comes from a Secret: passwords usually do. */
  readonly fromSecrets: boolean;
  readonly framework: Framework | undefined;
  readonly stated: boolean;
  readonly catalogue: boolean;
  readonly declared: boolean;
}

/** The name of a condition. */
export type ConditionName = Exclude<keyof Conditions, 'argumentFragments' | 'fromSecrets'>;

/** A compiled rule. */
export interface Rule {
  readonly name: string;
  readonly when: Conditions;
  /** The bits of the {@link Rules.signs} without which `when` cannot hold. */
  readonly signs: number;
  readonly unless: Conditions | undefined;
  readonly port: number | undefined;
  readonly path: string | undefined;
  readonly scheme: 'http' | 'https' | undefined;
  /**
   * The rule finds no endpoint: it says why the container has none, so that later rules skip it.
   */
  readonly exclude: NoEndpoint | undefined;
  /** The rule finds a proxy that serves the metrics of other containers: these have no endpoints of their own. */
  readonly proxy: boolean;
  /** Later rules look for further endpoints in the same container. */
  readonly continues: boolean;
  /** The rule only hints at an endpoint: where asking is on, the pod is asked first. */
  readonly confirm: boolean;
}

/**
 * Everything that decides, compiled: immutable, so a running decision never sees half of a reload.
 */
export interface Rules {
  /** In order: the user's, then the shipped ones. */
  readonly rules: readonly Rule[];
  readonly names: readonly string[];
  readonly signs: readonly Sign[];
  readonly https: boolean;
  /** Which endpoints of a pod are annotated: the first one, or up to eight. */
  readonly endpoints: 'first' | 'all';
  readonly ignoreContainers: readonly Pattern[];
  /** Settings that name the path of a container's metrics, in the group `path`. */
  readonly pathFrom: readonly Setting[];
  readonly catalogue: Catalogue;
  /** TCP ports that must never be asked. */
  readonly askNever: readonly number[];
  readonly annotationKeys: AnnotationKeys;
  /** In which annotations of other consumers the endpoints are said, too. */
  readonly dialects: readonly DialectName[];
  /** The effective file, for `autoscrape check --print`. */
  readonly effective: RulesFile;
}
