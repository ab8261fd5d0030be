/** The answer to a request that is not a readable review: an HTTP status and a message for the client. */
export interface HttpError {
  readonly status: 400 | 404 | 405 | 413 | 415 | 503;
  readonly message: string;
}
