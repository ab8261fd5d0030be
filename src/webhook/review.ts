import { isObject, own } from '../core/json.ts';
import type { AddOperation } from '../core/patch.ts';

/** What an AdmissionReview asks, as far as it could be read. */
export interface ReviewRequest {
  /** The API server's name for this call, which the answer must repeat. */
  readonly uid: string;
  /** Whether a pod is being created: everything else is let through untouched. */
  readonly createsPod: boolean;
  readonly namespace: string;
  /** The pod's name; empty while it is still to be generated. */
  readonly name: string;
  /** What its name will begin with, if it is to be generated. */
  readonly generateName: string;
  readonly dryRun: boolean;
  /** The pod as sent, not looked at. */
  readonly object: unknown;
}

/** What goes back beside the verdict. */
export interface Remarks {
  /** Sentences that `kubectl` shows to whoever applied the pod. */
  readonly warnings: readonly string[];
  /** Goes to the audit log, below the webhook's name. */
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

/** uids are random UUIDs of 36 characters; a longer text is not one, and would be repeated in answer and log. */
const MAX_UID = 256;

const NO_REVIEW = 'the body is not an AdmissionReview of admission.k8s.io/v1: set admissionReviewVersions to ["v1"]';
const NO_UID = 'request.uid is missing or is not a text of at most 256 characters';

/** The request of an AdmissionReview v1, or what makes it impossible to answer: the wrong version, or no uid. */
export function readReview(body: unknown): ReviewRequest | string {
  if (text(member(body, 'apiVersion')) !== 'admission.k8s.io/v1' || text(member(body, 'kind')) !== 'AdmissionReview')
    return NO_REVIEW;
  const request = member(body, 'request');
  const uid = text(member(request, 'uid'));
  if (uid === '' || uid.length > MAX_UID) return NO_UID;
  const kind = member(request, 'kind');
  const object = member(request, 'object');
  return {
    uid,
    createsPod:
      text(member(kind, 'kind')) === 'Pod' &&
      text(member(kind, 'group')) === '' &&
      text(member(request, 'subResource')) === '' &&
      member(request, 'operation') === 'CREATE' &&
      object !== undefined &&
      object !== null,
    namespace: text(member(request, 'namespace')),
    name: text(member(request, 'name')),
    generateName: text(member(member(object, 'metadata'), 'generateName')),
    dryRun: member(request, 'dryRun') === true,
    object,
  };
}

/*
 * The answers. There are two, and neither can reject a pod: `allowed: false` would do so whatever the failure policy.
 */

/** An AdmissionReview, as JSON, that lets the object through as it is. */
export function allowed(uid: string, remarks: Remarks): string {
  return render({ uid, allowed: true, ...remark(remarks) });
}

/** An AdmissionReview, as JSON, that lets the object through with a patch. */
export function patched(uid: string, patch: readonly AddOperation[], remarks: Remarks): string {
  const base64 = Buffer.from(JSON.stringify(patch)).toString('base64');
  return render({ uid, allowed: true, patchType: 'JSONPatch', patch: base64, ...remark(remarks) });
}

function render(response: object): string {
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response });
}

function remark({ warnings, auditAnnotations }: Remarks): object {
  const presentable = presentWarnings(warnings);
  return { ...(presentable.length > 0 && { warnings: presentable }), auditAnnotations };
}

/**
 * Warnings as the API server takes them (apiserver's endpoints/filters/warning.go): it may cut what is longer than
 * 256 characters, stops at 4096 in total, and silently drops texts with control characters or broken UTF-8.
 */
function presentWarnings(warnings: readonly string[]): readonly string[] {
  const presented: string[] = [];
  let total = 0;
  for (const warning of warnings) {
    const line = warning
      .slice(0, 256)
      .replaceAll(/\p{Cc}+/gu, ' ')
      .toWellFormed();
    total += Buffer.byteLength(line);
    if (total > 4096) break;
    presented.push(line);
  }
  return presented;
}

function member(value: unknown, key: string): unknown {
  return isObject(value) ? own(value, key) : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
