import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Users of a cluster by name, with their groups. */
export type Users = Readonly<Record<string, readonly string[]>>;

/** Gives every user a token, in a file that the API server reads at its start; returns the file and the tokens. */
export async function writeTokens(
  directory: string,
  users: Users,
): Promise<{ file: string; tokens: ReadonlyMap<string, string> }> {
  const tokens = new Map(Object.keys(users).map((user) => [user, randomBytes(16).toString('hex')]));
  const lines = Object.entries(users).map(([user, groups]) => {
    const fields = [tokens.get(user), user, user];
    return [...fields, ...(groups.length > 0 ? [`"${groups.join(',')}"`] : [])].join(',');
  });
  const file = join(directory, 'tokens.csv');
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return { file, tokens };
}

/** Writes the key pair that service accounts' tokens are signed and verified with; returns the two files. */
export async function writeServiceAccountKeys(directory: string): Promise<{ privateKey: string; publicKey: string }> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const privateKey = join(directory, 'service-account.key');
  const publicKey = join(directory, 'service-account.pub');
  await writeFile(privateKey, pair.privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
  await writeFile(publicKey, pair.publicKey.export({ type: 'spki', format: 'pem' }));
  return { privateKey, publicKey };
}

/**
 * Writes to `caFile` the authority of the certificate that the API server made for itself on its first start, and
 * returns it; the certificate's file holds it last.
 */
export async function writeAuthority(certificateDirectory: string, caFile: string): Promise<string> {
  const chain = await readFile(join(certificateDirectory, 'apiserver.crt'), 'utf8');
  const [authority] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*$/.exec(chain) ?? [];
  if (authority === undefined) throw new Error("the API server's certificate isn't complete yet");
  await writeFile(caFile, authority);
  return authority;
}
