import { registerHooks } from 'node:module';

// For `node --import`: prints the packages that the process has loaded when it exits, those within Node included.
const loaded = new Set<string>();
registerHooks({
  load(url, context, nextLoad) {
    const name = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
    if (name !== undefined) loaded.add(name);
    return nextLoad(url, context);
  },
});
process.on('exit', () => {
  const builtIn: unknown = Reflect.get(process, 'moduleLoadList');
  const within = Array.isArray(builtIn)
    ? builtIn.filter((name) => /internal\/deps\/undici/.test(String(name)))
    : ['unknown'];
  console.log(`loaded: ${[...loaded, ...within].join(' ')}`);
});
