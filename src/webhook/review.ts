import { stripControls } from '../core/control-characters.ts';
import { member, text } from '../core/json.ts';
import type { AddOperation } from '../core/patch.ts';
import type { Result } from '../core/result.ts';

/** The request of an AdmissionReview, as far as it could be read. */
export interface ReviewRequest {
  /** Identifies the call; the answer must repeat it. */
  readonly uid: string;
  /** Whether a pod is being created. Everything else is allowed unchanged. */
  readonly createsPod: boolean;
  readonly namespace: string;
  /** The pod's name; empty where the API server has yet to generate it. */
  readonly name: string;
  /** The prefix of a generated name. */
  readonly generateName: string;
  readonly dryRun: boolean;
  /** The pod as sent, not validated. */
  readonly object: unknown;
}

/** What an answer says besides `allowed` and the patch. */
export interface AnswerNotes {
  /** `kubectl` prints them to the person who applied the pod. */
  readonly warnings: readonly string[];
  /** The API server writes them into its audit log, prefixed with the webhook's name. */
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

/** A uid is a UUID of 36 characters. A much longer string is none, and would be repeated in the answer and the log. */
const MAX_UID = 256;

const NO_REVIEW = 'the body is not an AdmissionReview of admission.k8s.io/v1: set admissionReviewVersions to ["v1"]';
const NO_UID = 'request.uid must be a string of 1 to 256 characters';

/** Returns the request of an AdmissionReview v1, or why it can't be answered: the wrong version, or no uid. */
export function readReview(body: unknown): Result<ReviewRequest, string> {
  if (text(member(body, 'apiVersion')) !== 'admission.k8s.io/v1' || text(member(body, 'kind')) !== 'AdmissionReview')
    return { ok: false, error: NO_REVIEW };
  const request = member(body, 'request');
  const uid = text(member(request, 'uid'));
  if (uid === '' || uid.length > MAX_UID) return { ok: false, error: NO_UID };
  const kind = member(request, 'kind');
  const object = member(request, 'object');
  return {
    ok: true,
    value: {
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
    },
  };
}

// There are two answers, and neither can reject a pod: `allowed: false` would, whatever the failure
// policy.

/** Returns an AdmissionReview, as JSON, that allows the object unchanged. */
export function allowed(uid: string, notes: AnswerNotes): string {
  return render({ uid, allowed: true, ...renderNotes(notes) });
}

/** Returns an AdmissionReview, as JSON, that allows the object with a patch. */
export function patched(uid: string, patch: readonly AddOperation[], notes: AnswerNotes): string {
  const base64 = Buffer.from(JSON.stringify(patch)).toString('base64');
  return render({ uid, allowed: true, patchType: 'JSONPatch', patch: base64, ...renderNotes(notes) });
}

function render(response: object): string {
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response });
}

function renderNotes({ warnings, auditAnnotations }: AnswerNotes): object {
  const accepted = acceptedWarnings(warnings);
  return { ...(accepted.length > 0 && { warnings: accepted }), auditAnnotations };
}

/**
 * Returns the warnings as the API server accepts them (apiserver's endpoints/filters/warning.go): it
 * may cut one that is longer than 256 characters, stops at 4096 in total, and silently drops one with
 * control characters or invalid UTF-8.
 */
function acceptedWarnings(warnings: readonly string[]): readonly string[] {
  const accepted: string[] = [];
  let total = 0;
  for (const warning of warnings) {
    const line = stripControls(warning.slice(0, 256)).toWellFormed();
    total += Buffer.byteLength(line);
    if (total > 4096) break;
    accepted.push(line);
  }
  return accepted;
}
