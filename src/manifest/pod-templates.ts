import { isObject, member, own } from '../core/json.ts';
import type { JsonObject } from '../core/json.ts';

/** A pod template in an object. */
export interface PodTemplate {
  /** Where it is, such as `spec.tasks[0].template`. */
  readonly path: string;
  readonly template: JsonObject;
}

/**
 * How deep and how much of an object is searched. The deepest known template is a JobSet's, at depth 6
 * (`spec.replicatedJobs[0].template.spec.template`), and a template is found before what is in it is searched.
 */
const MAX_DEPTH = 10;
const MAX_SEARCHED = 2_000;

/**
 * Returns the pod templates in an object of any kind, found by their shape: a mapping called `template`, `podTemplate`,
 * `workerTemplate` … or an item of a list called `pods`, whose spec has containers with an image. Without an image it is
 * a part that an operator merges into a template of its own, as Elasticsearch's `podTemplate` may be.
 */
export function podTemplates(object: JsonObject): PodTemplate[] {
  const found: PodTemplate[] = [];
  let searched = 0;
  const search = (value: unknown, path: string, isTemplate: boolean, depth: number): void => {
    searched += 1;
    if (depth > MAX_DEPTH || searched > MAX_SEARCHED) return;
    if (Array.isArray(value)) {
      const arePods = /(?:^|\.)pods$/.test(path);
      for (const [i, item] of value.entries()) search(item, `${path}[${i}]`, arePods, depth + 1);
    } else if (isObject(value)) {
      if (isTemplate && hasImage(value)) {
        found.push({ path, template: value });
        return;
      }
      for (const [key, item] of Object.entries(value)) {
        if (depth === 0 && (key === 'metadata' || key === 'status')) continue;
        search(item, path === '' ? key : `${path}.${key}`, /template$/i.test(key), depth + 1);
      }
    }
  };
  search(object, '', false, 0);
  return found;
}

function hasImage(template: JsonObject): boolean {
  const containers = member(own(template, 'spec'), 'containers');
  return Array.isArray(containers) && containers.some((container) => typeof member(container, 'image') === 'string');
}
