import { registerHooks } from 'node:module';

// For `node --import`: prints the packages that the process has loaded when it exits.
const loaded = new Set<string>();
registerHooks({
  load(url, context, nextLoad) {
    const name = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
    if (name !== undefined) loaded.add(name);
    return nextLoad(url, context);
  },
});
process.on('exit', () => console.log(`loaded: ${[...loaded].join(' ')}`));
