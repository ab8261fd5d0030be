import { isObject } from '../json.ts';
import { spend } from '../step-budget.ts';
import type { Work } from '../step-budget.ts';

// Arguments that a program gets by its environment. The name of the variable tells little: scripts
// pass JAVA_OPTS, KAFKA_JMX_OPTS, SERVER_JVMFLAGS and many others on to java, and java itself reads
// JAVA_TOOL_OPTIONS and JDK_JAVA_OPTIONS. The options tell: nothing but a JVM has them.

/** The variable with Spring's properties as JSON. */
export const APPLICATION_JSON = 'SPRING_APPLICATION_JSON';
/** Characters of that variable; a longer one is not read. */
export const MAX_APPLICATION_JSON = 16 * 1024;
/** Levels of objects in it; where there are more, nothing of it is read. */
const MAX_DEPTH = 8;

const OPTION = /^-(?:D[A-Za-z]|javaagent:)/;

/**
 * Returns the options of a JVM (`-Dname=value`, `-javaagent:…`) that the variables contain, and the
 * properties of SPRING_APPLICATION_JSON as `--name=value`; at most `limit`.
 */
export function environmentOptions(environment: ReadonlyMap<string, string>, limit: number, work: Work): string[] {
  const options: string[] = [];
  if (!spend(work, environment.size)) return options;
  for (const value of environment.values()) {
    if (!value.includes('-D') && !value.includes('-javaagent:')) continue;
    if (!spend(work, value.length >> 1)) break;
    options.push(...value.split(/\s+/).filter((piece) => OPTION.test(piece)));
  }
  const json = environment.get(APPLICATION_JSON);
  if (json !== undefined && json.length <= MAX_APPLICATION_JSON && spend(work, 4 * json.length))
    options.push(...propertiesOf(json));
  options.length = Math.min(options.length, limit);
  return options;
}

/**
 * Returns the properties of the JSON as `--name=value`, lists joined by commas, which is how Spring
 * reads them; none where it is invalid or too deep.
 * https://docs.spring.io/spring-boot/reference/features/external-config.html#features.external-config.application-json
 */
function propertiesOf(json: string): string[] {
  if (depthOf(json) > MAX_DEPTH) return [];
  let root: unknown;
  try {
    root = JSON.parse(json);
  } catch {
    return [];
  }
  const properties: string[] = [];
  const add = (name: string, value: unknown): void => {
    if (isObject(value)) for (const key of Object.keys(value)) add(name === '' ? key : `${name}.${key}`, value[key]);
    else if (Array.isArray(value)) add(name, value.filter(isScalar).join(','));
    else if (name !== '' && isScalar(value)) properties.push(`--${name}=${String(value)}`);
  };
  add('', root);
  return properties;
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** Returns how deeply the objects and lists of the JSON are nested, at least; brackets in strings count, too. */
function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of json) {
    if (character === '{' || character === '[') deepest = Math.max(deepest, (depth += 1));
    else if (character === '}' || character === ']') depth -= 1;
  }
  return deepest;
}
