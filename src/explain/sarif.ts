import { sep } from 'node:path';
import type { Finding } from './findings.ts';
import { EXPLAINED_REASONS } from './unselected.ts';

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  ...EXPLAINED_REASONS,
  warning: 'Something about the workload is probably wrong.',
  annotate: 'The pods of the workload would be annotated.',
};

/**
 * Returns the findings as a SARIF 2.1.0 log with one run. `isComplete` is whether everything could be read.
 * https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
export function sarifLog(findings: readonly Finding[], version: string, isComplete: boolean): object {
  const ids = [...new Set(findings.map(({ id }) => id))];
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'autoscrape',
            semanticVersion: version,
            informationUri: 'https://github.com/autoscrape/autoscrape',
            rules: ids.map((id) => ({ id, shortDescription: { text: DESCRIPTIONS[id] ?? id } })),
          },
        },
        invocations: [{ executionSuccessful: isComplete }],
        results: findings.map(({ id, level, title, message, file, line }) => ({
          ruleId: id,
          ruleIndex: ids.indexOf(id),
          level,
          message: { text: message },
          locations: [
            {
              physicalLocation: { artifactLocation: { uri: uriOf(file) }, region: { startLine: line } },
              logicalLocations: [{ fullyQualifiedName: title, kind: 'resource' }],
            },
          ],
        })),
      },
    ],
  };
}

/** Returns the path as a URI reference (RFC 3986): relative where the path is, so that GitHub finds the file in the repository. */
function uriOf(path: string): string {
  const uri = path.split(sep).map(encodeURIComponent).join('/');
  return path.startsWith('/') ? `file://${uri}` : uri;
}
