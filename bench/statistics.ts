/** Returns the value below which so much of a sample lies; `quantile(sample, 0.5)` is the median. */
export function quantile(sample: readonly number[], q: number): number {
  const sorted = sample.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Returns a copy of the list in random order. */
export function shuffled<Item>(list: readonly Item[]): Item[] {
  return list
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/**
 * Returns the range that holds nine of ten values of `figure` on samples drawn again and again from the given ones (the
 * bootstrap): how far chance alone moves it.
 */
function range(
  samples: readonly (readonly number[])[],
  figure: (drawn: readonly number[][]) => number,
): [number, number] {
  const figures = Array.from({ length: 200 }, () =>
    figure(samples.map((sample) => sample.map(() => sample[Math.floor(Math.random() * sample.length)] ?? Number.NaN))),
  );
  return [quantile(figures, 0.05), quantile(figures, 0.95)];
}

/** Returns the ratio of two samples by a figure of each, with the range within which chance moves it, for a table. */
export function ratioWithRange(
  samples: readonly (readonly number[])[],
  figure: (drawn: readonly (readonly number[])[]) => number,
): string {
  const [low, high] = range(samples, figure);
  return `${figure(samples).toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

/** Returns the ratio of the medians of two samples. */
export function ratioOfMedians([one = [], other = []]: readonly (readonly number[])[]): number {
  return quantile(one, 0.5) / quantile(other, 0.5);
}

/** Returns rows as a table in Markdown, the first row being its head; all columns but the first are aligned to the right. */
export function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const lines = [head, head.map((_, i) => (i === 0 ? '---' : '--:')), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
