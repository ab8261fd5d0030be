import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { component } from '../build/components.ts';
import { startDaemon } from '../process/daemon.ts';
import { temporaryFolder } from '../process/temporary-folder.ts';

/**
 * Starts the OpenTelemetry Collector with these scrape configurations in its Prometheus receiver. It sends its samples to the
 * URL by Prometheus' remote write. Returns what ends it and removes its data.
 */
export async function startCollector(scrapeConfigs: unknown, remoteWrite: string): Promise<{ stop(): Promise<void> }> {
  const command = await component('opentelemetry-collector');
  const { directory, remove } = await temporaryFolder('collector');
  const file = join(directory, 'collector.yaml');
  const configuration = {
    receivers: { prometheus: { config: { scrape_configs: scrapeConfigs } } },
    exporters: { prometheus_remote_write: { endpoint: remoteWrite } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { metrics: { receivers: ['prometheus'], exporters: ['prometheus_remote_write'] } },
    },
  };
  await writeFile(file, JSON.stringify(configuration, undefined, 2));
  const daemon = await startDaemon({ name: 'collector', directory, command, args: [`--config=file:${file}`] });
  return {
    async stop() {
      await daemon.kill();
      remove();
    },
  };
}
