import { Counter, Gauge, Registry } from '@prometheus-io/client';
import { VERSION } from './version.ts';

/**
 * A registry with what every long-running command tells about itself: its build and its process. The library's own
 * default metrics are left out, because `promtool check metrics` finds fault with their names.
 */
export function createRegistry(): Registry {
  const registers: Registry[] = [];
  const build = new Gauge({
    name: 'autoscrape_build_info',
    help: 'Always 1; the labels say which autoscrape and which Node.js run.',
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
    help: 'Memory of the process that is in RAM.',
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
