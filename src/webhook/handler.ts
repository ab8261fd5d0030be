import type { Logger } from 'pino';
import { decide } from '../core/decide.ts';
import type { Decision } from '../core/decision.ts';
import { renderPatch } from '../core/patch.ts';
import type { Result } from '../core/result.ts';
import type { Rules } from '../core/rules/parse.ts';
import { withoutMessage } from '../process/log.ts';
import type { HttpError } from './http-error.ts';
import { exceededJsonLimit } from './json-limits.ts';
import { removeManagedFields } from './managed-fields.ts';
import type { Outcome, WebhookMetrics } from './metrics.ts';
import { allowed, patched, readReview } from './review.ts';
import type { ReviewRequest } from './review.ts';

/** What reviews are answered with. It takes and returns bodies, and knows nothing of HTTP. */
export interface Handler {
  /** Returns the rules to decide by. Called for each review, so that a reload acts on the next one. */
  rules(): Rules;
  /** Decide, log and count, but patch nothing. */
  readonly observe: boolean;
  /** Leave pods for which a rule only hints to the reconciler, which asks them. */
  readonly ask: boolean;
  readonly log: Logger;
  readonly metrics: WebhookMetrics;
}

/** One call of the webhook. */
export interface ReviewCall {
  /** Must not be read any more once the review is answered. */
  readonly body: Buffer;
  /** Whether the pod's namespace is in an Istio mesh, as the called path says. */
  readonly mesh: boolean;
  /** When the call began, in milliseconds of `performance.now()`. */
  readonly start: number;
}

/** The AdmissionReview to send back, and how the call ended. */
export interface ReviewAnswer {
  readonly outcome: Outcome;
  /** The AdmissionReview as JSON. */
  readonly review: string;
  /** Logs and counts the review. To be called once the answer is sent, because the API server need not wait for it. */
  record(): void;
}

/** The part of a decision that is logged, counted and written into the audit log. */
interface DecisionLabels {
  readonly outcome: 'annotate' | 'skip';
  readonly reason?: string;
  readonly rule?: string;
}

/** For every request that is not the creation of a pod, and so is allowed unchanged. */
const NOT_A_POD: DecisionLabels = { outcome: 'skip', reason: 'not_a_pod_creation' };

/**
 * Returns the answer to a body, or the HTTP error where it can't be answered. Whenever the uid can
 * be read the answer is `allowed: true`, whatever else is wrong with the review and even after a
 * bug: annotations are never worth a pod.
 */
export function answerReview(handler: Handler, call: ReviewCall): Result<ReviewAnswer, HttpError> {
  const parsed = parse(call.body);
  if (!parsed.ok) return { ok: false, error: { status: 400, message: parsed.error } };
  return { ok: true, value: answerRequest(handler, call, parsed.value) };
}

function answerRequest(handler: Handler, call: ReviewCall, request: ReviewRequest): ReviewAnswer {
  if (!request.createsPod) {
    const review = allowed(request.uid, { warnings: [], auditAnnotations: audit(NOT_A_POD) });
    const milliseconds = since(call.start);
    return { outcome: 'skip', review, record: () => logReview(handler, call, request, NOT_A_POD, milliseconds) };
  }
  try {
    return answerPod(handler, call, request);
  } catch (error) {
    handler.log.error({ uid: request.uid, ...withoutMessage(error) }, 'decision failed (a bug), pod allowed unchanged');
    const review = allowed(request.uid, { warnings: [], auditAnnotations: {} });
    return { outcome: 'error', review, record: () => {} };
  }
}

function answerPod(handler: Handler, call: ReviewCall, request: ReviewRequest): ReviewAnswer {
  const { uid, object } = request;
  const decision = decide(object, handler.rules(), {
    mesh: call.mesh,
    ask: handler.ask,
    namespace: request.namespace,
  });
  const patch = renderPatch(object, decision);
  const labels = labelsOf(decision);
  const outcome = patch.length === 0 ? 'skip' : handler.observe ? 'observe' : 'annotate';
  const notes = {
    // None with --observe: people who apply pods should not notice that rules are being tried.
    warnings: handler.observe ? [] : decision.warnings,
    auditAnnotations: audit(labels),
  };
  const review = outcome === 'annotate' ? patched(uid, patch, notes) : allowed(uid, notes);
  const milliseconds = since(call.start);
  return {
    outcome,
    review,
    record() {
      handler.metrics.decisions.inc({ ...labels });
      logReview(handler, call, request, labels, milliseconds);
    },
  };
}

/** Returns the request in a body, or an error that never repeats the JSON parser's message: that quotes the body. */
function parse(body: Buffer): Result<ReviewRequest, string> {
  if (body.length === 0) return { ok: false, error: 'the body is empty: send an AdmissionReview' };
  // The limits are those of what is parsed: brackets in what is removed must not count against others.
  const json = removeManagedFields(body);
  const exceeded = exceededJsonLimit(json);
  if (exceeded !== undefined) return { ok: false, error: `the body ${exceeded}` };
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch {
    return { ok: false, error: 'the body is not JSON' };
  }
  return readReview(value);
}

function labelsOf(decision: Decision): DecisionLabels {
  if (decision.outcome === 'annotate') return { outcome: 'annotate', rule: decision.rule };
  const { reason, rule } = decision;
  return { outcome: 'skip', reason, ...(rule !== undefined && { rule }) };
}

function audit({ rule, reason }: DecisionLabels): Record<string, string> {
  return { ...(rule !== undefined && { rule }), ...(reason !== undefined && { reason }) };
}

/** Logs one line for each review: who, what, why and how long, and nothing else of the pod. */
function logReview(
  { log, observe }: Handler,
  { mesh }: ReviewCall,
  request: ReviewRequest,
  labels: DecisionLabels,
  milliseconds: number,
): void {
  const { uid, namespace, name, generateName, dryRun } = request;
  const { outcome, reason, rule } = labels;
  // One object of one shape: pino leaves out what is undefined.
  log.info(
    {
      namespace: shorten(namespace),
      name: name === '' ? undefined : shorten(name),
      generateName: name === '' ? shorten(generateName) : undefined,
      uid,
      outcome,
      reason,
      rule,
      milliseconds,
      dryRun,
      mesh: mesh || undefined,
      observe: observe || undefined,
    },
    'review',
  );
}

/** Returns the milliseconds since then, to the microsecond. */
function since(start: number): number {
  return Math.round((performance.now() - start) * 1000) / 1000;
}

/** Names have at most 253 characters (RFC 1123), but the API server has not validated them yet. */
function shorten(name: string): string {
  return name.slice(0, 253);
}
