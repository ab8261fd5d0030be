import { join } from 'node:path';
import { goModuleFolder } from '../../../tools/go.ts';
import { pinnedVersion } from './components.ts';

/** Returns the folder of the Prometheus Operator's CRDs: PodMonitor, ServiceMonitor, PrometheusRule, ScrapeConfig and others. */
export async function prometheusOperatorCrds(): Promise<string> {
  const module = 'github.com/prometheus-operator/prometheus-operator';
  const folder = await goModuleFolder(module, await pinnedVersion('prometheus-operator', module));
  return join(folder, 'example', 'prometheus-operator-crd');
}

/** Returns the folder of cert-manager's CRDs, at the version of the controllers that the tests run. */
export async function certManagerCrds(): Promise<string> {
  const module = 'github.com/cert-manager/cert-manager';
  return join(await goModuleFolder(module, await pinnedVersion('certmanager', module)), 'deploy', 'crds');
}
