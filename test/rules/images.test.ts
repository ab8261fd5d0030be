import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decide } from '../../src/core/decide.ts';
import { parseRules } from '../../src/core/rules.ts';
import { readShipped } from '../../src/rules/shipped.ts';

const { images } = readShipped();
const parsed = parseRules('https: true', readShipped());
assert.ok(parsed.ok);
const { rules } = parsed;

test('every entry names its public source', () => {
  for (const entry of images) assert.match(entry.source ?? '', /^https:\/\/\S+$/, entry.images.join());
});

test('no image is claimed twice for one port, unless the container tells the entries apart', () => {
  const claimed = new Map<string, number>();
  for (const [i, { images: names, port, container }] of images.entries()) {
    for (const name of names) {
      for (const number of [port].flat()) {
        const claim = `${name} ${number} ${container ?? ''}`;
        assert.ok(!claimed.has(claim), `${claim}: entries ${claimed.get(claim)} and ${i}`);
        claimed.set(claim, i);
      }
    }
  }
});

test('no entry hides behind one that always comes first', () => {
  for (const [i, entry] of images.entries()) {
    for (const name of entry.images) {
      const earlier = images
        .slice(0, i)
        .find(
          (other) =>
            other.images.includes(name) &&
            other.container === undefined &&
            !other.declared &&
            other.needs === undefined,
        );
      assert.ok(earlier === undefined || entry.container !== undefined, `${name}: entry ${i} is never reached`);
    }
  }
});

test('every entry can match: some pod with the image and the switch is annotated as the entry says', () => {
  const missed = images.filter((entry) => {
    const {
      images: [image = ''],
      port,
      path = '/metrics',
      scheme = 'http',
      container,
      needs,
    } = entry;
    const names = container === undefined ? ['app'] : spell(container);
    const statements = needs === undefined ? [undefined] : spell(needs);
    return ![port].flat().every((number) =>
      names.some((name) =>
        statements.some((statement) => {
          const decision = decide(podOf(image.replaceAll('*', 'x'), name, number, statement), rules);
          if (decision.outcome !== 'annotate') return false;
          const [endpoint] = decision.endpoints;
          // A switch that also moves the port was spelled out with a port of its own.
          return (
            endpoint.path === path &&
            endpoint.scheme === scheme &&
            (endpoint.port === number || statement !== undefined)
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

function podOf(image: string, name: string, containerPort: number, statement: string | undefined): unknown {
  const [variable = '', ...value] = (statement ?? '').split('=');
  const said = /^[A-Z]/.test(variable)
    ? { env: [{ name: variable, value: value.join('=') }] }
    : { args: statement === undefined ? [] : [statement] };
  return {
    metadata: {},
    spec: { containers: [{ name, image: `registry.example/${image}:1.0`, ports: [{ containerPort }], ...said }] },
  };
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
