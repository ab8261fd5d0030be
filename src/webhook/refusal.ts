/** An answer to something that is not a review: a status and a sentence for whoever sent it. */
export interface Refusal {
  readonly status: 400 | 404 | 405 | 413 | 415 | 503;
  readonly message: string;
}

/** Whether a value is a refusal rather than what was hoped for. */
export function isRefusal(value: object): value is Refusal {
  return 'status' in value && 'message' in value;
}
