import { stripControls } from '../core/control-characters.ts';
import type { Finding } from './findings.ts';

const COMMANDS = { error: 'error', warning: 'warning', note: 'notice' } as const;

/** Returns a finding as a workflow command, which GitHub Actions shows as an annotation of that line. */
export function renderForGitHub({ level, title, message, file, line }: Finding): string {
  const command = `::${COMMANDS[level]} file=${property(file)},line=${line},title=${property(title)}::${data(message)}`;
  return stripControls(command);
}

// As actions/toolkit's command.ts escapes them: a line break would end the command, and a comma the property.

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
