/**
 * Returns the value of a property such as `management.server.port`; undefined where neither the
 * command line nor the environment sets it.
 */
export type Properties = (name: string) => string | undefined;

/**
 * Returns the properties that a command line sets (`--name=value`, `-Dname=value`) and those that
 * the environment sets: `NAME_WITH_UNDERSCORES`, with or without the underscore of a dash, or the
 * name itself. The command line comes first, as in Spring, Micronaut and Quarkus.
 * https://docs.spring.io/spring-boot/reference/features/external-config.html#features.external-config.typesafe-configuration-properties.relaxed-binding.environment-variables
 */
export function readProperties(commandLine: readonly string[], environment: ReadonlyMap<string, string>): Properties {
  const stated = statedIn(commandLine);
  return (name) => {
    const before = stated?.get(name);
    if (before !== undefined) return before;
    for (const variable of variablesOf(name)) {
      const value = environment.get(variable);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

/** The variables of each property, of which the code names a few dozen. */
const variables = new Map<string, readonly string[]>();

function variablesOf(name: string): readonly string[] {
  const known = variables.get(name);
  if (known !== undefined) return known;
  const upper = name.toUpperCase().replaceAll('.', '_');
  const names = [...new Set([upper.replaceAll('-', ''), upper.replaceAll('-', '_'), name])];
  variables.set(name, names);
  return names;
}

/** Returns what the arguments set; undefined where that is nothing. */
function statedIn(commandLine: readonly string[]): ReadonlyMap<string, string> | undefined {
  let system: Map<string, string> | undefined;
  let program: Map<string, string> | undefined;
  for (const argument of commandLine) {
    const equals = argument.startsWith('-') ? argument.indexOf('=') : -1;
    if (equals < 0) continue;
    if (argument.startsWith('-D')) (system ??= new Map()).set(argument.slice(2, equals), argument.slice(equals + 1));
    else if (argument.startsWith('--'))
      (program ??= new Map()).set(argument.slice(2, equals), argument.slice(equals + 1));
  }
  return system === undefined ? program : new Map([...system, ...(program ?? [])]);
}

/** Returns whether the value of a property is true, as these frameworks read it. */
export function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true';
}

/** Returns whether the value of a property is false; no value is neither. */
export function isFalse(value: string | undefined): boolean {
  return value?.toLowerCase() === 'false';
}

/** Returns whether the value of a property is a list with commas that has the item. */
export function lists(value: string | undefined, item: string): boolean {
  return value?.split(',').some((each) => each.trim() === item) === true;
}
