import type { CommandUnknownOpts } from '@commander-js/extra-typings';

/** Ends with a usage error where there are too many arguments: commander's own does not name them. */
export function refuseExcessArguments(command: CommandUnknownOpts): void {
  const takes = command.registeredArguments;
  const excess = takes.at(-1)?.variadic === true ? [] : command.args.slice(takes.length);
  if (excess.length > 0) command.error(`error: '${command.name()}' does not take '${excess.join("', '")}'`);
}
