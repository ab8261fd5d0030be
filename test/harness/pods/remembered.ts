import * as fc from 'fast-check';

/**
 * Returns the arbitrary, which makes each value once for all properties that are checked with the same seed: making a pod costs several
 * times what a promise about it does. It must be a property's only argument, so that it always begins at the same state of the
 * random numbers, and no property may change the values.
 */
export function remembered<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return new Remembered(arbitrary);
}

/** Returns what makes properties share the values: so many runs of each, and one seed, which differs from test run to test run. */
export function sharedRuns(numRuns: number): { readonly numRuns: number; readonly seed: number } {
  return { numRuns, seed: Math.floor(Math.random() * 2 ** 31) };
}

class Remembered<T> extends fc.Arbitrary<T> {
  readonly #arbitrary: fc.Arbitrary<T>;
  readonly #values = new Map<string, fc.Value<T>>();

  constructor(arbitrary: fc.Arbitrary<T>) {
    super();
    this.#arbitrary = arbitrary;
  }

  override generate(random: fc.Random, bias: number | undefined): fc.Value<T> {
    const key = `${random.getState()?.join()} ${bias}`;
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    const value = this.#arbitrary.generate(random, bias);
    this.#values.set(key, value);
    return value;
  }

  override canShrinkWithoutContext(value: unknown): value is T {
    return this.#arbitrary.canShrinkWithoutContext(value);
  }

  override shrink(value: T, context: unknown): fc.Stream<fc.Value<T>> {
    return this.#arbitrary.shrink(value, context);
  }
}
