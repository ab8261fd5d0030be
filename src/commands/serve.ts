import { basename, dirname } from 'node:path';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startHealth } from '../process/health.ts';
import { VERSION } from '../process/version.ts';
import { createLog, withoutMessage } from '../process/log.ts';
import type { Logger } from 'pino';
import { createRegistry } from '../process/metrics.ts';
import { reloadingRules } from '../rules/reload-rules.ts';
import { handleShutdown } from '../process/shutdown.ts';
import { reloadOnChange } from '../process/file-watcher.ts';
import type { Watched } from '../process/file-watcher.ts';
import { clientCaLoader, expiry, PAIR_FILES, pairLoader } from '../webhook/certificate-files.ts';
import type { Pair } from '../webhook/certificate-files.ts';
import { compactHeap } from '../webhook/garbage-collection.ts';
import { CLOSE_MS } from '../webhook/request-limits.ts';
import { answerReview } from '../webhook/handler.ts';
import { initDecisionCounters, createWebhookMetrics } from '../webhook/metrics.ts';
import { createWebhookServer } from '../webhook/server.ts';
import type { WebhookServer } from '../webhook/server.ts';
import { warmUp } from '../webhook/warm-up.ts';
import {
  Command,
  healthPortOption,
  hostOption,
  integer,
  logLevelOption,
  nonEmpty,
  Option,
  option,
  toggle,
} from './options.ts';
import type { OptionsOf } from './options.ts';
import { examples } from './help.ts';

const flags = new Command('serve')
  .description('Runs the mutating admission webhook: HTTPS for the API server, plain HTTP for health and metrics.')
  .addOption(option('--cert-dir <dir>', 'folder of tls.crt and tls.key, reloaded when they change').argParser(nonEmpty))
  .addOption(
    new Option(
      '--self-signed',
      'in place of --cert-dir, to try it by hand: a new certificate for localhost and this host, valid for a week',
    ).conflicts('certDir'),
  )
  .addOption(
    option(
      '--client-ca-file <file>',
      "certificates of the CA of clients, reloaded when they change: who has none of its certificates can't call; defaults to anyone",
    ).argParser(nonEmpty),
  )
  .addOption(
    option('--rules <file>', 'rules file, reloaded when it changes; defaults to the shipped rules').argParser(nonEmpty),
  )
  .addOption(hostOption)
  .addOption(
    option('--port <number>', 'port for the API server (HTTPS); 0 chooses a free one')
      .default(10250)
      .argParser(integer(0, 65535)),
  )
  .addOption(healthPortOption)
  .addOption(logLevelOption)
  .addOption(
    option('--tls-min-version <version>', 'oldest TLS version to accept').choices(['1.2', '1.3']).default('1.3'),
  )
  .addOption(
    option('--drain-seconds <number>', 'seconds to keep serving after SIGTERM, while endpoints are updated')
      .default(10)
      .argParser(integer(0, 300)),
  )
  .addOption(toggle('--observe', 'decide, log and count, but patch nothing'))
  .addOption(toggle('--ask', 'leave pods for which a rule only hints (confirm) to a reconciler that runs with --ask'))
  .addHelpText(
    'after',
    examples(
      ['Try it by hand: curl -k https://localhost:10250/mutate …', 'autoscrape serve --self-signed'],
      ['As the chart runs it', 'autoscrape serve --cert-dir /tls --rules /etc/autoscrape/rules.yaml'],
      [
        'Try rules on a live cluster without changing a pod',
        'autoscrape serve --cert-dir /tls --rules rules.yaml --observe',
      ],
    ),
  );

/** `autoscrape serve`. */
export const command = flags.action(async (options, self) => {
  if (options.certDir === undefined && options.selfSigned !== true)
    return self.error("error: required option '--cert-dir <dir>' not specified (--self-signed, to try it by hand)");
  process.exitCode = await serve(options);
  return undefined;
});

/** The options of `autoscrape serve`. */
export type ServeOptions = OptionsOf<typeof flags>;

/**
 * Runs the webhook until a signal, and returns the exit code: 0, or 1 after an uncaught error or a
 * second signal. Throws a UserError when it can't start: no valid certificate, invalid rules, a port
 * that is not available.
 */
export async function serve(options: ServeOptions): Promise<number> {
  const log = createLog(options.logLevel);
  const shutdown = handleShutdown((error) => log.fatal(withoutMessage(error), 'uncaught error (a bug), stopping'));
  const registry = createRegistry();
  const metrics = createWebhookMetrics(registry);

  const rules = await reloadingRules(options.rules, {
    log,
    onReload(result) {
      metrics.rulesReloads.inc({ result });
      if (result === 'success') initDecisionCounters(metrics, rules.current(), options.ask);
    },
  });
  initDecisionCounters(metrics, rules.current(), options.ask);
  const { certDir } = options;
  // Undefined until all files that it needs are read. One that was read may change meanwhile.
  let webhook: WebhookServer | undefined;
  const pair =
    certDir === undefined
      ? await selfSigned(options.host, log)
      : await reloadOnChange<Pair>({
          folder: certDir,
          names: PAIR_FILES,
          load: pairLoader(certDir),
          onChange(changed) {
            webhook?.setPair(changed);
            metrics.certificateNotAfter.set(changed.notAfter / 1000);
            metrics.certificateReloads.inc({ result: 'success' });
            log.info({ notAfter: new Date(changed.notAfter) }, 'certificate reloaded');
          },
          onError(error, isNew) {
            metrics.certificateReloads.inc({ result: 'error' });
            if (isNew) log.error({ problem: error }, 'certificate not reloaded: the last valid one stays in use');
          },
        });
  metrics.certificateNotAfter.set(pair.current().notAfter / 1000);

  const clientCa = options.clientCaFile === undefined ? undefined : await watchClientCa(options.clientCaFile);

  let stopping = false;
  const handler = { rules: rules.current, observe: options.observe, ask: options.ask, log, metrics };
  webhook = createWebhookServer({
    pair: pair.current(),
    clientCa: clientCa?.current(),
    tlsMinVersion: options.tlsMinVersion,
    answer: (call) => answerReview(handler, call),
    isDraining: () => stopping,
    log,
    metrics,
  });
  compactHeap();
  await warmUp(pair.current(), rules.current());
  const port = await webhook.listen(options.host, options.port);
  const unready = (): readonly string[] =>
    [stopping ? 'stopping' : undefined, expiry(pair.current(), Date.now())].filter((reason) => reason !== undefined);
  const health = await startHealth({ unready, registry }, options.host, options.healthPort);
  log.info(
    {
      version: VERSION,
      port,
      healthPort: health.port,
      observe: options.observe,
      ask: options.ask,
      // Since the process started.
      startMs: Math.round(performance.now()),
    },
    'serving',
  );
  if (unready().length > 0) log.error({ unready: unready() }, 'not ready');

  const reason = await shutdown.requested;
  stopping = true;
  log.info({ reason }, 'stopping');
  // It takes a while until the Service's endpoints leave us out. Until then calls arrive, and each
  // answer closes its connection, so that the client's next one goes to another replica.
  if (reason !== 'SIGINT')
    await sleep(options.drainSeconds * 1000, undefined, { signal: shutdown.hurry }).catch(() => {});
  await webhook.close(AbortSignal.any([shutdown.hurry, AbortSignal.timeout(CLOSE_MS)]));
  rules.close();
  pair.close();
  clientCa?.close();
  await health.close();
  log.info('stopped');
  return reason === 'failure' || shutdown.hurry.aborted ? 1 : 0;

  function watchClientCa(file: string): Promise<Watched<string>> {
    return reloadOnChange({
      folder: dirname(file),
      names: [basename(file)],
      load: clientCaLoader(file),
      onChange(changed) {
        webhook?.setClientCa(changed);
        metrics.certificateReloads.inc({ result: 'success' });
        log.info('client CA reloaded');
      },
      onError(error, isNew) {
        metrics.certificateReloads.inc({ result: 'error' });
        if (isNew) log.error({ problem: error }, 'client CA not reloaded: the last valid one stays in use');
      },
    });
  }
}

/** Returns a certificate that stays the same, and logs what a client needs to trust it. */
async function selfSigned(host: string | undefined, log: Logger): Promise<Watched<Pair>> {
  // Loaded here only: in the cluster nobody needs it.
  const { selfSignedPair } = await import('../webhook/self-signed.ts');
  const names = [...new Set(['localhost', '127.0.0.1', '::1', hostname(), ...(host === undefined ? [] : [host])])];
  const { pair, caBundle } = selfSignedPair(names, Date.now());
  log.warn(
    { names, notAfter: new Date(pair.notAfter), caBundle: Buffer.from(caBundle).toString('base64') },
    'self-signed certificate in use: only to try it by hand',
  );
  return { current: () => pair, close: () => undefined };
}
