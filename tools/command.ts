import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** What a command is run with; the environment is added to this process's own. */
export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** What a command did. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end and returns its exit code and output, whatever the code is. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  // A command that doesn't read its input closes it early; what it says then is in its output.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** Runs a command to its end and returns what it printed; throws with the end of its output when it fails. */
export async function command(name: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runCommand(name, args, options);
  if (code !== 0) {
    const said = [stderr, stdout].map((output) => output.trim().split('\n').slice(-30).join('\n')).filter(Boolean);
    throw new Error(`${[name, ...args].join(' ')} failed with code ${code}:\n${said.join('\n')}`);
  }
  return stdout;
}
