// `node bench/asking.ts CORPUS.jsonl [--misses]`, as root on Linux: plays a corpus of workloads, one JSON object a line. Each row
// becomes a pod with an address of its own, and a server at each of its ports that answers as the row says; where a row has no
// metrics, it answers by what it is (asking/served.ts). The reconciler decides, asks and annotates: its clocks are faster, and it may
// ask loopback addresses; all else is as shipped. Prints how many endpoints are found by words alone and by asking, in all and by
// class, and what that took.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { play } from './asking/play.ts';
import { report } from './asking/report.ts';
import { readRows } from './asking/row.ts';

const USAGE = 'usage: node bench/asking.ts CORPUS.jsonl [--misses], as root on Linux';

/** The command's second self, in a network namespace where every port of every loopback address is free. */
const INSIDE = '--inside';

const { values, positionals } = parseArgs({
  options: { misses: { type: 'boolean', default: false }, inside: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [file, ...others] = positionals;
if (file === undefined || others.length > 0 || process.platform !== 'linux' || process.getuid?.() !== 0) {
  console.error(USAGE);
  process.exitCode = 2;
} else if (values.inside) {
  try {
    for (const line of report(await play(readRows(file)), values.misses)) console.log(line);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 2;
  }
} else {
  const script = 'ip link set lo up && exec "$0" "$@"';
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1), INSIDE];
  const child = spawn('unshare', ['--net', 'sh', '-c', script, ...self], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  process.exitCode = typeof code === 'number' ? code : 1;
}
