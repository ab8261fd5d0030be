import assert from 'node:assert/strict';
import jsonPatch from 'fast-json-patch';
import * as z from 'zod';
import type { Reply } from './client.ts';

const Answer = z.strictObject({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  response: z.strictObject({
    uid: z.string(),
    allowed: z.literal(true),
    patchType: z.literal('JSONPatch').optional(),
    patch: z.base64().optional(),
    warnings: z.array(z.string().regex(/^[^\p{Cc}]{1,256}$/u)).optional(),
    auditAnnotations: z.record(z.string().regex(/^[a-z]+$/), z.string()),
  }),
});

const Patch = z.array(z.strictObject({ op: z.literal('add'), path: z.string(), value: z.unknown() })).min(1);

/** What an answer says, once it was checked as the API server checks it. */
export interface Verified {
  /** The patch, decoded; empty when there is none. */
  readonly patch: readonly jsonPatch.Operation[];
  readonly warnings: readonly string[];
  readonly audit: Readonly<Record<string, string>>;
}

/**
 * Returns what a reply says. Fails unless it is a valid answer to the uid, by the rules of apiserver's VerifyAdmissionResponse
 * (the same uid, version and kind; patch and patchType both or neither) and by our own: it never rejects, and warnings
 * are such as the API server passes on.
 */
export function verifyAnswer(reply: Reply, uid: string): Verified {
  assert.equal(reply.status, 200, reply.body);
  assert.match(reply.headers['content-type'] ?? '', /^application\/json/);
  const { response } = Answer.parse(JSON.parse(reply.body));
  assert.equal(response.uid, uid);
  assert.equal(response.patch === undefined, response.patchType === undefined, 'patch and patchType, both or neither');
  const warnings = response.warnings ?? [];
  assert.ok(Buffer.byteLength(warnings.join('')) <= 4096);
  const patch =
    response.patch === undefined ? [] : Patch.parse(JSON.parse(Buffer.from(response.patch, 'base64').toString()));
  return { patch, warnings, audit: response.auditAnnotations };
}

/** Returns a copy of the object with the patch applied, by a library that knows nothing of ours. Throws if it does not apply. */
export function applyPatch(object: unknown, patch: readonly unknown[]): unknown {
  // Copied as JSON, as it comes to an API server: a generated object may have one value in two places, and a structured clone
  // keeps it one, so that a change of the first would be one of the second.
  const json = JSON.stringify(object);
  return jsonPatch.applyPatch(JSON.parse(json) as unknown, structuredClone(patch) as jsonPatch.Operation[], true)
    .newDocument;
}
