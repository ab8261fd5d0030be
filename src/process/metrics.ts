import { Counter, Gauge, Registry } from '@prometheus-io/client';
import { VERSION } from './version.ts';

/**
 * Returns a registry with the metrics of every long-running command: its build and its process. It
 * leaves out the library's default metrics, because `promtool check metrics` complains about their
 * names.
 */
export function createRegistry(): Registry {
  const registers: Registry[] = [];
  const build = new Gauge({
    name: 'autoscrape_build_info',
    help: 'Always 1; the labels are the versions of autoscrape and Node.js.',
    labelNames: ['version', 'node_version'],
    registers,
  });
  build.set({ version: VERSION, node_version: process.version }, 1);
  const start = new Gauge({
    name: 'process_start_time_seconds',
    help: 'Unix time at which the process started.',
    registers,
  });
  start.set(Date.now() / 1000 - process.uptime());
  const memory = new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the process.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  const cpu = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time that the process has spent, user and system.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const registry = new Registry();
  for (const metric of [build, start, memory, cpu]) registry.registerMetric(metric);
  return registry;
}
