import * as fc from 'fast-check';

const SURROGATES = { first: 0xd800, count: 0x800 };

/** Any character of Unicode, as fast-check's unit `binary`, whose first string takes it more than a second of CPU. */
export const anyCharacter: fc.Arbitrary<string> = fc.nat(0x10ffff - SURROGATES.count).map(
  (index) => String.fromCodePoint(index < SURROGATES.first ? index : index + SURROGATES.count),
  (text) => {
    const [character, ...others] = typeof text === 'string' && text.isWellFormed() ? text : '';
    const point = character?.codePointAt(0);
    if (point === undefined || others.length > 0) throw new Error('not one character');
    return point < SURROGATES.first ? point : point - SURROGATES.count;
  },
);
