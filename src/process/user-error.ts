/**
 * An error that the user can put right: its message says what is wrong and what to do, and is printed without a stack.
 * Everything else that is thrown is a bug or a failure of the machine, and is printed with its stack.
 */
export class UserError extends Error {}
