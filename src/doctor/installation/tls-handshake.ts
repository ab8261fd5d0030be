import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import type { Result } from '../../core/result.ts';

/** What a server shows in its TLS handshake. */
export interface ServedCertificate {
  /** Unix time in ms. */
  readonly notAfter: number;
  /**
   * Why the API server refuses it, by OpenSSL's name, such as `CERT_HAS_EXPIRED`; undefined where
   * it takes it.
   */
  readonly refused: string | undefined;
  /** The names in it, such as `DNS:autoscrape-webhook.autoscrape.svc`. */
  readonly names: string;
  readonly issuer: string;
}

/** In ms, for a handshake over a connection that is open. */
const TIMEOUT_MS = 5_000;

/**
 * Shakes hands over a connection and returns the certificate, judged as the API server judges a
 * webhook's: by these authorities (PEM) and this name of its Service. Never rejects.
 */
export async function readServedCertificate(
  connection: Duplex,
  authorities: string,
  servername: string,
): Promise<Result<ServedCertificate, string>> {
  try {
    return await new Promise((resolve) => {
      const fail = (error: Error): void => resolve({ ok: false, error: error.message });
      connection.on('error', fail);
      const socket = connect({
        socket: connection,
        servername,
        ca: authorities,
        // It is looked at, and nothing is sent.
        rejectUnauthorized: false,
      });
      socket.setTimeout(TIMEOUT_MS, () => fail(new Error(`no handshake within ${TIMEOUT_MS / 1000} s`)));
      socket.on('error', fail);
      socket.on('end', () => fail(new Error('the connection was closed')));
      socket.on('secureConnect', () => {
        const certificate = socket.getPeerX509Certificate();
        if (certificate === undefined) return fail(new Error('no certificate was shown'));
        return resolve({
          ok: true,
          value: {
            notAfter: certificate.validToDate.getTime(),
            refused: socket.authorized ? undefined : codeOf(socket.authorizationError),
            names: certificate.subjectAltName ?? '',
            issuer: certificate.issuer.replaceAll('\n', ', '),
          },
        });
      });
    });
  } catch (error) {
    // The authorities are no certificates.
    return { ok: false, error: error instanceof Error ? error.message : String(error) };
  } finally {
    connection.destroy();
  }
}

/** Node declares an Error and gives the code. */
function codeOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
