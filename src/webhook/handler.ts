import type { Logger } from 'pino';
import { decide } from '../core/decide.ts';
import type { Decision } from '../core/decision.ts';
import { renderPatch } from '../core/patch.ts';
import type { Rules } from '../core/rules/parse.ts';
import { withoutMessage } from '../process/log.ts';
import type { Outcome, WebhookMetrics } from './metrics.ts';
import type { Refusal } from './refusal.ts';
import { allowed, patched, readReview } from './review.ts';
import type { ReviewRequest } from './review.ts';
import { excessiveShape } from './json-limits.ts';

/** What a review is answered with: bodies in, bodies out, and nothing of HTTP. */
export interface Handler {
  /** The rules to decide by, asked anew for each review so that a reload acts on the next one. */
  readonly rules: () => Rules;
  /** Decide, log and count, but patch nothing. */
  readonly observe: boolean;
  readonly log: Logger;
  readonly metrics: WebhookMetrics;
}

/** One call of the webhook. */
export interface Call {
  readonly body: Buffer;
  /** Whether the pod's namespace is in an Istio mesh, as the path that was called says. */
  readonly mesh: boolean;
  /** When the call began, in milliseconds of `performance.now()`. */
  readonly start: number;
}

/** An AdmissionReview as JSON, and how it came about. */
export interface Answer {
  readonly outcome: Outcome;
  readonly review: string;
}

/** What is logged and counted of a decision. */
interface Verdict {
  readonly outcome: 'annotate' | 'skip';
  readonly reason?: string;
  readonly rule?: string;
}

/** The reason of everything that is let through because it isn't a pod being created. */
const NOT_A_POD: Verdict = { outcome: 'skip', reason: 'not_a_pod_creation' };

/**
 * The answer to a body, or why it can't be answered. Whenever the uid can be read the answer is `allowed: true`,
 * whatever else is wrong with the review and whatever bug shows: annotations are never worth a pod.
 */
export function answer(handler: Handler, call: Call): Answer | Refusal {
  const request = parse(call.body);
  if (typeof request === 'string') return { status: 400, message: request };
  if (!request.createsPod) {
    logReview(handler, call, request, NOT_A_POD);
    return { outcome: 'skip', review: allowed(request.uid, { warnings: [], auditAnnotations: audit(NOT_A_POD) }) };
  }
  try {
    return answerPod(handler, call, request);
  } catch (error) {
    handler.log.error({ uid: request.uid, ...withoutMessage(error) }, 'bug: the pod was let through as it is');
    return { outcome: 'error', review: allowed(request.uid, { warnings: [], auditAnnotations: {} }) };
  }
}

function answerPod(handler: Handler, call: Call, request: ReviewRequest): Answer {
  const { uid, object } = request;
  const decision = decide(object, handler.rules(), { mesh: call.mesh });
  const patch = renderPatch(object, decision);
  const verdict = toVerdict(decision);
  handler.metrics.decisions.inc({ ...verdict });
  logReview(handler, call, request, verdict);

  const auditAnnotations = audit(verdict);
  if (handler.observe) {
    // Nobody who applies a pod should notice that rules are being tried.
    const outcome = patch.length > 0 ? 'observe' : 'skip';
    return { outcome, review: allowed(uid, { warnings: [], auditAnnotations }) };
  }
  const remarks = { warnings: decision.warnings, auditAnnotations };
  if (patch.length === 0) return { outcome: 'skip', review: allowed(uid, remarks) };
  return { outcome: 'annotate', review: patched(uid, patch, remarks) };
}

/** The request in a body, or what is wrong with it. Never says what the parser says, for that quotes the body. */
function parse(body: Buffer): ReviewRequest | string {
  if (body.length === 0) return 'the body is empty: an AdmissionReview is expected';
  const excess = excessiveShape(body);
  if (excess !== undefined) return `the body is ${excess}`;
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return 'the body is not JSON';
  }
  return readReview(value);
}

function toVerdict(decision: Decision): Verdict {
  if (decision.outcome === 'annotate') return { outcome: 'annotate', rule: decision.rule };
  const { reason, rule } = decision;
  return { outcome: 'skip', reason, ...(rule !== undefined && { rule }) };
}

function audit({ rule, reason }: Verdict): Record<string, string> {
  return { ...(rule !== undefined && { rule }), ...(reason !== undefined && { reason }) };
}

/** One line a review: who, what, why and how long, and nothing else of the pod. */
function logReview({ log, observe }: Handler, { start, mesh }: Call, request: ReviewRequest, verdict: Verdict): void {
  const { uid, namespace, name, generateName, dryRun } = request;
  log.info(
    {
      namespace: shorten(namespace),
      ...(name === '' ? { generateName: shorten(generateName) } : { name: shorten(name) }),
      uid,
      ...verdict,
      milliseconds: Math.round((performance.now() - start) * 1000) / 1000,
      dryRun,
      ...(mesh && { mesh }),
      ...(observe && { observe }),
    },
    'review',
  );
}

/** Names have at most 253 characters, but nobody has checked that yet. */
function shorten(name: string): string {
  return name.slice(0, 253);
}
