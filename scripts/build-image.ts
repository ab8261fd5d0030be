import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { imageSize } from '../tools/image-size.ts';
import { buildImage, chartImage } from '../tools/image.ts';

// Builds the image without Docker, and says how large it is and how to load it.

const { values } = parseArgs({ options: { name: { type: 'string' }, output: { type: 'string' } } });
const name = values.name ?? (await chartImage());
const archive = resolve(values.output ?? join(import.meta.dirname, '../dist/image.tar'));
await buildImage(name, archive);
const { total, node } = await imageSize(archive);
const [all, rest] = [total, total - node].map((bytes) => (bytes / 1e6).toFixed(1));
console.error(`${all} MB compressed, ${rest} MB beside Node itself`);
console.error(`${name} in ${archive}; load it with one of`);
console.error(`  ctr -n k8s.io images import ${archive}`);
console.error(`  kind load image-archive ${archive}`);
console.error(`  docker load -i ${archive}`);
