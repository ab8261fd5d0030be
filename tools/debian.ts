import { command, runCommand } from './command.ts';
import { hasCode } from './error-code.ts';

/** Debian packages that a node and its images need, beside what is built from Go modules. */
export const nodePackages = ['runc', 'nftables', 'iptables', 'conntrack', 'iproute2'] as const;

/** Debian packages that building images needs. */
export const imagePackages = ['mmdebstrap', 'buildah'] as const;

/** Installs those of the Debian packages that are missing; throws with their names where that can't be done. */
export async function installDebianPackages(packages: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const name of packages) if (!(await isInstalled(name))) missing.push(name);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) throw new Error(`missing packages; as root run: apt-get install ${missing.join(' ')}`);
  process.stderr.write(`installing ${missing.join(' ')} …\n`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await command('apt-get', ['update', '-q'], { env });
  await command('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env });
}

async function isInstalled(name: string): Promise<boolean> {
  try {
    const { stdout } = await runCommand('dpkg-query', ['-W', '-f', '${db:Status-Status}', name]);
    return stdout === 'installed';
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new Error(`no dpkg here: install what the Debian package ${name} holds by your system's own means`, {
      cause: error,
    });
  }
}
