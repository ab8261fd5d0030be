/** Where metrics are. */
export interface Endpoint {
  /**
   * The rule that finds it, or `annotation`, `label` or `asked` where the user or an answer names it and no
   * rule knows it.
   */
  readonly rule: string;
  /**
   * Name of the container that serves it; empty where a label or an annotation names a port that
   * nobody declares.
   */
  readonly container: string;
  /** Decimal TCP port, 1–65535. */
  readonly port: number;
  readonly path: string;
  readonly scheme: 'http' | 'https';
  /** Whether a container declares the port: VictoriaMetrics scrapes no other. */
  readonly declared: boolean;
}
