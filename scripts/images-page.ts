import type { Shipped } from '../src/core/rules/parse.ts';

const HEAD = `# Well-known images

What the rule \`well-known-image\` knows: where the metrics of an image are when it is started as it comes. It is consulted after
everything that the pod itself says. Registry, tag and digest don't matter; an image is recognised by the last one or two segments of
its name. This page is made from [images.yaml](../src/rules/images.yaml) by \`npm run generate\`;
[CONTRIBUTING.md](CONTRIBUTING.md) says how to add an image.
`;

/** Returns docs/images.md: a table with a row an entry. */
export function imagesPage({ images }: Shipped): string {
  const rows = images.map(
    ({
      images: names,
      port,
      path = '/metrics',
      scheme = 'http',
      container,
      versions,
      needs,
      guarded,
      declared,
      source,
      ...from
    }) => {
      const settings = [
        ['port', from.portFrom],
        ['path', from.pathFrom],
        ['base path', from.basePathFrom],
      ] as const;
      const notes = [
        ...(container === undefined ? [] : [`container ${code(container)}`]),
        ...(versions === undefined ? [] : [`versions ${code(versions)}`]),
        ...(needs === undefined ? [] : [`only with ${[needs].flat().map(code).join(' and ')}`]),
        ...(guarded === true ? ['needs credentials'] : []),
        ...(declared === undefined ? [] : ['only where the port is declared']),
        ...settings.flatMap(([what, set]) => (set === undefined ? [] : [`${what} from ${set.map(code).join(', ')}`])),
      ];
      const where = [port].flat().join(' or ');
      return `| ${names.map(code).join(', ')} | ${where}${scheme === 'https' ? ' https' : ''} | ${code(path)} | ${notes.join('; ')} | ${source === undefined ? '' : `[source](${source})`} |`;
    },
  );
  return [
    HEAD,
    `${images.length} entries.`,
    '',
    '| Image | Port | Path | When | Read at |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** A pipe would end the cell, even in code. */
function code(text: string): string {
  return `\`${text.replaceAll('|', String.raw`\|`)}\``;
}
