/*
 * The size of a pattern's program, known before RE2 compiles it. Repetitions are copies:
 * `(x{30}){30}` has 900 instructions, and 1,000 characters can have a million, which take 270 MB of
 * heap. RE2's own limit is 1.4 million for each pattern.
 */

/**
 * Instructions that a Unicode class counts as, once for all its copies: its list of up to 1,300
 * code points takes as much memory, and as much time to make.
 */
const UNICODE_CLASS = 64;

/** RE2's syntax, as far as it is needed for counting. */
const TOKEN = new RegExp(
  [
    String.raw`\\Q(?<quoted>[^]*?)(?:\\E|$)`,
    String.raw`(?<unicode>\\[pP](?:\{[^}]*\}|[^]))`,
    String.raw`\\(?:x\{[^}]*\}|[^]|$)`,
    String.raw`(?<set>\[\^?\]?(?:\[:\^?\w+:\]|\\[^]|[^\]\\])*(?:\]|$))`,
    // A repetition after flags repeats the atom before them.
    String.raw`(?<flags>\(\?[A-Za-z-]*\))`,
    String.raw`(?<open>\((?:\?P?<\w*>|\?[A-Za-z-]*:)?)`,
    String.raw`(?<close>\))`,
    String.raw`(?<or>\|)`,
    String.raw`\{(?<least>\d+)(?:,(?<most>\d*))?\}`,
    String.raw`(?<repeat>[*+?])`,
    String.raw`[^]`,
  ].join('|'),
  'g',
);

/** What stands in a set for many code points: a class, or the end of a range beyond ASCII. */
const BEYOND_ASCII = /\\[pPx]|[^\0-\x7f]/g;

/**
 * Returns how many instructions the pattern's program has at most, and what its Unicode classes
 * count as; 0 for an empty source. Takes time linear to the source, which need not be valid.
 */
export function programSize(source: string): number {
  let classes = 0;
  // The instructions of each group that is open, and of the last atom in it, which a repetition repeats.
  let group = 0;
  let atom = 0;
  const outer: number[] = [];
  const add = (instructions: number): void => {
    group += instructions;
    atom = instructions;
  };
  for (const { groups = {} } of source.matchAll(TOKEN)) {
    const { quoted, flags, unicode, set, open, close, or, least, most, repeat } = groups;
    if (flags !== undefined) continue;
    if (quoted !== undefined) {
      group += quoted.length;
      atom = 1;
    } else if (open !== undefined) {
      outer.push(group);
      group = 0;
      atom = 0;
    } else if (close !== undefined) {
      // Two instructions capture, and one stands for an empty branch.
      const inner = group + 3;
      group = outer.pop() ?? 0;
      add(inner);
    } else if (or !== undefined) group += 2;
    else if (least !== undefined) {
      const from = Number(least);
      const to = Math.max(from, Number(most ?? 0), 1);
      group -= atom;
      add(atom * to + (to - from) + 2);
    } else if (repeat !== undefined) {
      group -= atom;
      add(atom + 2);
    } else {
      if (unicode !== undefined) classes += 1;
      else if (set !== undefined) classes += set.match(BEYOND_ASCII)?.length ?? 0;
      add(1);
    }
  }
  for (const before of outer) group += before;
  return source === '' ? 0 : group + 3 + UNICODE_CLASS * classes;
}
