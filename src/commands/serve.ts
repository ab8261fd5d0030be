/** What `autoscrape serve` was told by flags and environment. */
export interface ServeOptions {
  readonly certDir: string;
  readonly rules?: string;
  readonly host?: string;
  readonly port: number;
  readonly healthPort: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly tlsMinVersion: '1.2' | '1.3';
  readonly drainSeconds: number;
  readonly observe: boolean;
}

/** The exit code of a webhook that has run until it was told to stop. */
export async function serve(options: ServeOptions): Promise<number> {
  await Promise.resolve(options);
  return 0;
}
