import { MAX_BODY_BYTES, MAX_STRUCTURE } from '../../../src/webhook/request-limits.ts';
import { reviewOf } from './admission-review.ts';

/** A review that is as large as the limits let it be, whose object has the text in it: begun, repeated, ended. */
function fill(begin: string, unit: (index: number) => string, end: string): string {
  const [head = '', tail = ''] = JSON.stringify(reviewOf('OBJECT')).split('"OBJECT"');
  const units: string[] = [];
  let bytes = Buffer.byteLength(head + begin + end + tail) + 20;
  let structure = structureOf(head + begin + end + tail) + 2;
  for (let index = 0; ; index++) {
    const next = unit(index);
    bytes += Buffer.byteLength(next) + 1;
    structure += structureOf(next) + 1;
    if (bytes > MAX_BODY_BYTES || structure > MAX_STRUCTURE) {
      // What is left of the bytes goes into one text.
      const pad = Math.max(MAX_BODY_BYTES - (bytes - Buffer.byteLength(next) - 1), 0);
      return head + begin.replace('{', `{"pad":"${'x'.repeat(pad)}",`) + units.join() + end + tail;
    }
    units.push(next);
  }
}

function structureOf(text: string): number {
  return text.replaceAll(/"[^"]*"/g, '').replaceAll(/[^[{,:]/g, '').length;
}

/** A review whose pod has an annotation that is JSON, of a shape that the limits would refuse outside of a string. */
/** JSON that would take the whole heap if it were parsed, as one string of JSON. */
const LISTS_IN_A_STRING = `"[${'[],'.repeat(1_380_000)}[]]"`;

function markedWith(json: string): string {
  return JSON.stringify(
    reviewOf({ metadata: { annotations: { 'autoscrape.io/injected': json } }, spec: { containers: [{ name: 'a' }] } }),
  );
}

/** The reviews that cost the most memory or time of those that the limits accept, each near 4 MiB. */
export const HEAVY_BODIES: Readonly<Record<string, string>> = {
  'objects with a key of their own each': fill('{"a":[', (i) => `{"${i.toString(36)}":0}`, ']}'),
  'nested lists': fill('{"a":[', () => '['.repeat(50) + ']'.repeat(50), ']}'),
  'empty objects': fill('{"a":[', () => '{}', ']}'),
  variables: fill('{"metadata":{},"spec":{"containers":[{"env":[', (i) => `{"name":"A${i}","value":"B${i}"}`, ']}]}}'),
  ports: fill(
    '{"metadata":{},"spec":{"containers":[{"ports":[',
    (i) => `{"name":"metrics","containerPort":${i}}`,
    ']}]}}',
  ),
  containers: fill(
    '{"metadata":{},"spec":{"containers":[',
    (i) => `{"name":"c${i}","ports":[{"name":"metrics","containerPort":1}]}`,
    ']}}',
  ),
  words: fill('{"metadata":{},"spec":{"containers":[{"args":[', (i) => `"--a${i}=:9"`, ']}]}}'),
  'one long word': fill('{"metadata":{},"spec":{"containers":[{"args":[', () => `"${'--x='.repeat(1e6)}"`, ']}]}}'),
  'a long word that is not Latin': fill(
    '{"metadata":{},"spec":{"containers":[{"args":[',
    () => `"€${'x'.repeat(4e6)}"`,
    ']}]}}',
  ),
  labels: fill('{"spec":{"containers":[{}]},"metadata":{"labels":{', (i) => `"k${i}":"v${i}"`, '}}}'),
  annotations: fill('{"spec":{"containers":[{}]},"metadata":{"annotations":{', (i) => `"k${i}":"v${i}"`, '}}}'),
  // Each ended the process when JSON within an annotation was parsed whatever its length.
  'lists within an annotation': markedWith(`{"rule":"x","added":{"a":[${'[],'.repeat(1_290_000)}[]]}}`),
  'short keys within an annotation': markedWith(
    `{"rule":"x","added":{${Array.from({ length: 350_000 }, (_, i) => `"${i.toString(36)}":1`).join()}}}`,
  ),
  'lists within another annotation': fill(
    '{"spec":{"containers":[{}]},"metadata":{"annotations":{',
    () => `"kubectl.kubernetes.io/last-applied-configuration":${LISTS_IN_A_STRING}`,
    '}}}',
  ),
  'lists within a label': fill(
    '{"spec":{"containers":[{}]},"metadata":{"labels":{',
    () => `"autoscrape.io/rule":${LISTS_IN_A_STRING}`,
    '}}}',
  ),
  'lists within a variable': fill(
    '{"metadata":{},"spec":{"containers":[{"env":[',
    () => `{"name":"A","value":${LISTS_IN_A_STRING}}`,
    ']}]}}',
  ),
  'lists within a word': fill('{"metadata":{},"spec":{"containers":[{"args":[', () => LISTS_IN_A_STRING, ']}]}}'),
};
