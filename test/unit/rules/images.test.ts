import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCatalogue } from '../../../src/core/rules/catalogue.ts';
import { decide } from '../../../src/core/decide.ts';
import { readPod } from '../../../src/core/pod/pod.ts';
import type { Container } from '../../../src/core/pod/pod.ts';
import { parseRules } from '../../../src/core/rules/parse.ts';
import { readShipped } from '../../../src/rules/shipped.ts';

const { images } = readShipped();
const parsed = parseRules('https: true', readShipped());
assert.ok(parsed.ok);
const { rules } = parsed.value;

/** A catalogue of the same names whose entries say nothing but their places. */
const places = createCatalogue(
  images.map(({ images: names }, place) => ({ images: names, place })),
  ({ place }) => ({
    ports: [place],
    path: '/',
    scheme: 'http',
    portFrom: [],
    pathFrom: [],
    basePathFrom: [],
    needs: [],
    unless: undefined,
    https: undefined,
    none: [],
    guarded: false,
    declared: false,
    container: undefined,
    versions: undefined,
    otherPorts: [],
    portName: undefined,
  }),
);

test('every entry names its public source', () => {
  for (const entry of images) assert.match(entry.source ?? '', /^https:\/\/\S+$/, entry.images.join());
});

/** The entries, by their places, that a name of one of them finds: the same name, a shorter one, one with wildcards. */
function claimants(name: string): number[] {
  const image = `registry.example/${name.replaceAll('*', 'x')}`;
  return places.find(containerOf(image)).flatMap(({ ports }) => ports);
}

test('no image is claimed by two entries for one port, unless the container, the version, TLS or a password tells them apart', () => {
  for (const name of images.flatMap((entry) => entry.images)) {
    const claimed = new Map<string, number>();
    for (const i of claimants(name)) {
      for (const port of [images[i]?.port ?? []].flat()) {
        const claim = `${port} ${images[i]?.container ?? ''} ${images[i]?.versions ?? ''} ${images[i]?.guarded === true} ${images[i]?.scheme ?? 'http'}`;
        assert.ok(!claimed.has(claim), `${name} on ${claim}: entries ${claimed.get(claim)} and ${i}`);
        claimed.set(claim, i);
      }
    }
  }
});

test('no entry hides behind one that always comes first', () => {
  for (const [i, entry] of images.entries()) {
    for (const name of entry.images) {
      const earlier = claimants(name).find((place) => {
        const other = images[place];
        return (
          place < i &&
          other?.container === undefined &&
          other?.declared !== true &&
          other?.needs === undefined &&
          other?.versions === undefined
        );
      });
      assert.ok(earlier === undefined || entry.container !== undefined, `${name}: entry ${i} is never reached`);
    }
  }
});

test('every entry can match: some pod with the image and the switch is annotated as the entry says', () => {
  const missed = images.filter((entry) => {
    const { images: imageNames, port, path = '/metrics', scheme = 'http', container, needs, versions, guarded } = entry;
    const tag = tagIn(versions);
    const names = container === undefined ? ['app'] : spell(container);
    const statements = spellAll([needs ?? []].flat());
    const cases = imageNames.flatMap((image) => [port].flat().map((number) => ({ image, number })));
    return !cases.every(({ image, number }) =>
      names.some((name) =>
        statements.some((statement) => {
          const decision = decide(podOf(`${image.replaceAll('*', 'x')}:${tag}`, name, number, statement), rules);
          if (decision.outcome !== 'annotate') return guarded === true && decision.reason === 'guarded';
          const [endpoint] = decision.endpoints;
          // A switch that also moves the port was spelled out with a port of its own.
          return (
            endpoint.path === path && endpoint.scheme === scheme && (endpoint.port === number || statement.length > 0)
          );
        }),
      ),
    );
  });
  assert.deepEqual(
    missed.map((entry) => entry.images.join()),
    [],
  );
});

test("a pod's own port name wins over the catalogue", () => {
  const decision = decide(
    {
      metadata: {},
      spec: {
        containers: [
          {
            name: 'grafana',
            image: 'grafana/grafana:12',
            ports: [
              { name: 'http', containerPort: 3000 },
              { name: 'metrics', containerPort: 3001 },
            ],
          },
        ],
      },
    },
    rules,
  );
  assert.ok(decision.outcome === 'annotate');
  assert.equal(decision.endpoints[0].port, 3001);
});

function containerOf(image: string): Container {
  const container = readPod({ metadata: {}, spec: { containers: [{ name: 'app', image }] } })?.containers[0];
  assert.ok(container !== undefined);
  return container;
}

/** Returns a tag in the range; without a range, one that tells no version. */
function tagIn(versions: string | undefined): string {
  if (versions === undefined) return 'latest';
  return /^>=(\S+)/.exec(versions)?.[1] ?? '0.0.1';
}

function podOf(image: string, name: string, containerPort: number, statements: readonly string[]): unknown {
  const env = statements.filter(isVariable).map((statement) => {
    const [variable, ...value] = statement.split('=');
    return { name: variable, value: value.join('=') };
  });
  const said = { env, args: statements.filter((statement) => !isVariable(statement)) };
  return {
    metadata: {},
    spec: { containers: [{ name, image: `registry.example/${image}`, ports: [{ containerPort }], ...said }] },
  };
}

function isVariable(statement: string): boolean {
  return /^[A-Z]/.test(statement);
}

/** Returns sets of texts in each of which every pattern has one that it matches. */
function spellAll(patterns: readonly string[]): string[][] {
  const texts = patterns.map(spell);
  return patterns.length === 0 ? [[]] : (texts[0] ?? []).map((_, at) => texts.map((each) => each[at] ?? ''));
}

/** Returns texts that an RE2 pattern matches, the same ones each time; a value of any kind becomes a port. */
function spell(pattern: string): string[] {
  const inJavaScript = pattern
    .replaceAll('=.+', '=[1-9][0-9]{3}')
    .replaceAll('(?P<', '(?<')
    .replaceAll(/\(\?[is]+\)/g, '')
    .replaceAll(/\(\?[is]+:/g, '(?:');
  return fc.sample(fc.stringMatching(new RegExp(`^(?:${inJavaScript})$`, 's')), { numRuns: 60, seed: 1 });
}
