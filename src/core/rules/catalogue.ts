import { isLike } from './glob.ts';
import type { Pattern } from './re2-pattern.ts';
import type { Container } from '../pod/pod.ts';
import { readAddress } from '../pod/port.ts';
import type { NoEndpoint } from '../skip-reason.ts';
import { isPlainPath, joinPath } from '../pod/path.ts';
import { hasSetting, refersToSetting } from './flag-or-variable.ts';
import type { Setting } from './flag-or-variable.ts';
import type { VersionRange } from './version-range.ts';
import { spend } from '../step-budget.ts';

/** One entry of the catalogue: where an image serves metrics by default, and what changes that. */
export interface ImageEntry {
  /**
   * The default ports. Where versions differ there are several, and only one that the container
   * declares is used.
   */
  readonly ports: readonly number[];
  readonly path: string;
  readonly scheme: 'http' | 'https';
  /** Flags and variables whose value replaces the default port. */
  readonly portFrom: readonly string[];
  /** Flags and variables whose value replaces the default path. */
  readonly pathFrom: readonly string[];
  /** Flags and variables whose value, a path or a URL, comes before the path. */
  readonly basePathFrom: readonly string[];
  /** The settings that it needs, all of them, to serve metrics. */
  readonly needs: readonly Setting[];
  /** Settings with which the image serves none. */
  readonly unless: Setting | undefined;
  /** Settings with which it serves them over https. */
  readonly https: Setting | undefined;
  /** The other settings with which there is nothing to scrape, by reason. */
  readonly none: readonly { readonly reason: NoEndpoint; readonly when: Setting }[];
  /** Whether the metrics need credentials, whatever the settings. */
  readonly guarded: boolean;
  readonly declared: boolean;
  readonly container: Pattern | undefined;
  readonly versions: VersionRange | undefined;
  /**
   * Ports that the image uses for other things: declaring only these does not mean that the default
   * has moved.
   */
  readonly otherPorts: readonly number[];
  /** The name of the metrics port, where the default port is not declared. */
  readonly portName: Pattern | undefined;
}

/** The entries, found by an image's last segment. */
export interface Catalogue {
  /** The entries for a container's image, in order: versions or roles of one image may differ. */
  readonly find: (container: Container) => readonly ImageEntry[];
}

/** The result of a lookup for one container. */
export type CatalogueResult =
  | { readonly kind: 'found'; readonly port: number; readonly path: string; readonly scheme: 'http' | 'https' }
  | { readonly kind: 'off'; readonly reason: NoEndpoint }
  | { readonly kind: 'unknown' };

/**
 * The names of an entry: the last one or two segments of an image; `*` matches any characters
 * within a segment.
 */
interface Named {
  readonly images: readonly string[];
}

const NONE: readonly never[] = [];

/**
 * Returns the catalogue of the entries. An entry is compiled when its image is first looked up: a
 * cluster runs few of the hundreds, and compiling all of them would be most of the program's start.
 */
export function createCatalogue<Entry extends Named>(
  entries: readonly Entry[],
  compile: (entry: Entry) => ImageEntry,
): Catalogue {
  const byName = new Map<string, { order: number; above: string | undefined }[]>();
  const wild = new Map<string | undefined, { order: number; glob: string }[]>(); // by the segment above, if it is without `*`
  for (const [order, { images }] of entries.entries()) {
    for (const image of images) {
      const segments = image.split('/');
      const last = segments.at(-1) ?? '';
      const above = segments.at(-2);
      if (last.includes('*')) push(wild, above, { order, glob: last });
      else push(byName, last, { order, above });
    }
  }
  const compiled = new Map<number, ImageEntry>();
  const entryAt = (order: number): ImageEntry | undefined => {
    const known = compiled.get(order);
    const entry = entries[order];
    if (known !== undefined || entry === undefined) return known;
    const fresh = compile(entry);
    compiled.set(order, fresh);
    return fresh;
  };
  return {
    find(container) {
      const { work } = container;
      const repository = container.repository.toLowerCase();
      const slash = repository.lastIndexOf('/');
      const above = repository.slice(repository.lastIndexOf('/', slash - 1) + 1, Math.max(slash, 0));
      const last = repository.slice(slash + 1);
      const orders: number[] = [];
      const named = byName.get(last) ?? NONE;
      if (!spend(work, IMAGE + named.length)) return NONE;
      for (const one of named) if ((one.above ?? above) === above) orders.push(one.order);
      for (const { order, glob } of wild.get(undefined) ?? NONE) if (isLike(glob, last, work)) orders.push(order);
      for (const { order, glob } of wild.get(above) ?? NONE) if (isLike(glob, last, work)) orders.push(order);
      if (orders.length > 1) orders.sort((a, b) => a - b);
      const found: ImageEntry[] = [];
      for (const order of orders) {
        const entry = entryAt(order);
        if (entry !== undefined && isAbout(entry, container)) found.push(entry);
      }
      return found;
    },
  };
}

function isAbout({ container: name, versions }: ImageEntry, container: Container): boolean {
  if (name?.matches(container.name, container.work) === false) return false;
  return versions === undefined || versions.includes(container.tag()) === true;
}

/** Steps of looking an image up. */
const IMAGE = 20;

function push<Key, Value>(into: Map<Key, Value[]>, key: Key, value: Value): void {
  const values = into.get(key);
  if (values === undefined) into.set(key, [value]);
  else values.push(value);
}

/**
 * Returns where the container's metrics are by the catalogue: the first entry that is not `unknown`
 * decides.
 */
export function lookUp(catalogue: Catalogue, container: Container): CatalogueResult {
  for (const entry of catalogue.find(container)) {
    const known = lookUpEntry(entry, container);
    if (known.kind !== 'unknown') return known;
  }
  return { kind: 'unknown' };
}

/**
 * The pod's settings come before the catalogue's defaults. A flag that sets the port is followed,
 * and so is one that switches metrics off or binds loopback. Where the container declares ports and
 * none of them is the default, something outside the pod has moved the port: then only a port with
 * the entry's name is used.
 */
function lookUpEntry(entry: ImageEntry, container: Container): CatalogueResult {
  const none = whyNone(entry, container);
  if (none !== undefined) return { kind: 'off', reason: none };
  if (!hasAll(container, entry.needs)) return { kind: 'unknown' };
  if (entry.guarded) return { kind: 'off', reason: 'guarded' };
  const path = pathOf(entry, container);
  if (path === undefined) return { kind: 'unknown' };
  const scheme = schemeOf(entry, container);
  const value = configuredValue(container, entry.portFrom);
  if (value !== undefined) {
    const address = readAddress(value);
    if (address.kind === 'port') return { kind: 'found', port: address.port, path, scheme };
    if (address.kind === 'off') return { kind: 'off', reason: 'switched_off' };
    return address.kind === 'loopback' ? { kind: 'off', reason: 'unreachable' } : address;
  }
  const compared = entry.otherPorts.length + entry.ports.length + 1;
  if (!spend(container.work, compared * (container.candidates.length + 1))) return { kind: 'unknown' };
  const declared = container.candidates.filter(({ number }) => !entry.otherPorts.includes(number));
  const [port, ...more] = entry.ports.filter((number) => declared.some((candidate) => candidate.number === number));
  if (port !== undefined && more.length === 0) return { kind: 'found', port, path, scheme };
  const named = declared.find(({ name }) => name !== '' && entry.portName?.matches(name, container.work) === true);
  if (port === undefined && named !== undefined) return { kind: 'found', port: named.number, path, scheme };
  const [only, ...others] = entry.ports;
  const usesDefault = declared.length === 0 && !entry.declared && others.length === 0;
  return usesDefault && only !== undefined ? { kind: 'found', port: only, path, scheme } : { kind: 'unknown' };
}

/**
 * Returns what the entries of the container's image know of a port that a rule has found by the pod's own words: the path
 * and scheme, or why there is nothing to scrape; undefined where no entry has this port.
 */
export function lookUpPort(entries: readonly ImageEntry[], container: Container, port: number): PortKnown | undefined {
  const isAtPort = ({ ports, portFrom }: ImageEntry): boolean =>
    ports.includes(port) || isMovedTo(port, portFrom, container);
  const [first, ...others] = entries.filter(isAtPort);
  // Of several, the one whose settings are there: an entry for another version or role may come first.
  const entry =
    others.length === 0
      ? first
      : ([first, ...others].find((one) => one !== undefined && hasAll(container, one.needs)) ?? first);
  if (entry === undefined) return undefined;
  const none = whyNone(entry, container) ?? (entry.guarded ? 'guarded' : undefined);
  return none === undefined
    ? { kind: 'found', path: pathOf(entry, container), scheme: schemeOf(entry, container) }
    : { kind: 'off', reason: none };
}

/** Returns whether one of the flags and variables says that the metrics are at the port. */
function isMovedTo(port: number, portFrom: readonly string[], container: Container): boolean {
  const value = configuredValue(container, portFrom);
  const address = value === undefined ? undefined : readAddress(value);
  return address?.kind === 'port' && address.port === port;
}

/** What an entry knows of one port. */
export type PortKnown =
  | { readonly kind: 'found'; readonly path: string | undefined; readonly scheme: 'http' | 'https' }
  | { readonly kind: 'off'; readonly reason: NoEndpoint };

/**
 * Returns the path by the container's settings; undefined where they set one that cannot be read,
 * such as `$(BASE)`.
 */
function pathOf({ path, pathFrom, basePathFrom }: ImageEntry, container: Container): string | undefined {
  if (pathFrom.length === 0 && basePathFrom.length === 0) return path;
  const whole = configuredValue(container, pathFrom);
  const base = configuredValue(container, basePathFrom);
  const metrics = whole === undefined || whole === '' ? path : whole.startsWith('/') ? whole : `/${whole}`;
  const full = base === undefined ? metrics : joinPath(pathOfUrl(base), metrics);
  return isPlainPath(full) ? full : undefined;
}

/** Returns the path of an absolute URL, and any other text as it is. */
function pathOfUrl(text: string): string {
  return text.replace(/^https?:\/\/[^/]*/i, '');
}

/** Returns why the container's settings leave nothing to scrape; undefined where they don't. */
function whyNone({ unless, none }: ImageEntry, container: Container): NoEndpoint | undefined {
  if (unless !== undefined && hasSetting(container, unless)) return 'switched_off';
  return none.find(
    ({ reason, when }) =>
      hasSetting(container, when) ||
      // A password usually comes from a Secret: that it is set is all that the pod shows.
      (reason === 'guarded' && refersToSetting(container, when)),
  )?.reason;
}

function hasAll(container: Container, settings: readonly Setting[]): boolean {
  return settings.every((setting) => hasSetting(container, setting));
}

function schemeOf({ https, scheme }: ImageEntry, container: Container): 'http' | 'https' {
  return https !== undefined && hasSetting(container, https) ? 'https' : scheme;
}

/**
 * Returns the value of the first of the flags (`--web.listen-address`) and variables
 * (`METRICS_PORT`) that is set.
 */
function configuredValue(container: Container, names: readonly string[]): string | undefined {
  for (const name of names) {
    const isFlag = name.startsWith('-');
    const value = isFlag ? flagValue(container, name) : container.environment().get(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

function flagValue(container: Container, name: string): string | undefined {
  const args = container.commandLine();
  if (!spend(container.work, args.length)) return undefined;
  const prefix = `-${name.startsWith('--') ? name.slice(1) : name}=`;
  return args.find((argument) => argument.startsWith(prefix))?.slice(prefix.length);
}
