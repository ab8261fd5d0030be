/**
 * An error that the user can fix: its message says what is wrong and what to do, and is printed
 * without a stack. Every other thrown error is a bug or failed I/O, and is printed with its stack.
 */
export class UserError extends Error {}
