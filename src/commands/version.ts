import { VERSION } from '../process/version.ts';
import { Command } from './options.ts';

/** `autoscrape version`, for those who type it as with kubectl and helm. */
export const command = new Command('version').description('Prints the version, as --version does.').action(() => {
  process.stdout.write(`${VERSION}\n`);
});
