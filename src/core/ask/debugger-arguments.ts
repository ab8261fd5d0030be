// Ports that a container's command line or environment gives to a debugger. One request ends a
// headless dlv and its program (https://github.com/go-delve/delve/issues/1393), so every number
// that could be the debugger's port counts as one.

/**
 * Returns the numbers in the arguments of `dlv`, `debugpy`, `pydevd`, `-agentlib:jdwp`, `-Xrunjdwp`
 * and `--inspect`: in the container's command and arguments, each one string, or in a variable such
 * as JAVA_TOOL_OPTIONS, as `NAME=value`.
 */
export function debugPorts(words: readonly string[], environment: readonly string[]): ReadonlySet<number> {
  const ports = new Set<number>();
  let isDebugger = false;
  for (const word of words) {
    // Arguments after `--` are the program's.
    if (word === '--') isDebugger = false;
    if (DEBUGGER.test(word)) isDebugger = true;
    if (isDebugger || AGENT.test(word)) addNumbers(ports, word);
  }
  for (const variable of environment) if (AGENT.test(variable)) addNumbers(ports, variable);
  return ports;
}

function addNumbers(ports: Set<number>, text: string): void {
  for (const [number] of text.matchAll(/\d+/g)) if (number.length <= 5) ports.add(Number(number));
  if (text.includes('--inspect')) ports.add(NODE_INSPECTOR);
}

/** The default port of Node's inspector: https://nodejs.org/api/cli.html#--inspecthostport */
const NODE_INSPECTOR = 9229;

/** Programs whose arguments follow as separate arguments. */
const DEBUGGER = /(?:^|[/\s])(?:dlv|delve|debugpy|pydevd)(?:$|[\s.])|--inspect(?:-brk|-port|-wait)?$/;

/** Options that contain their port. */
const AGENT = /jdwp|--inspect|debugpy|pydevd/;
