import type { Random } from '../../core/random.js';

/** Characters of a VIN (ISO 3779), which has no I, O and Q. */
const ALPHABET = 'ABCDEFGHJKLMNPRSTUVWXYZ0123456789';
const DIGITS = '0123456789';
/** No manufacturer has these, so an invented vehicle cannot carry the number of a real one. */
const MANUFACTURER = 'ZZZ';
/** Model year 2026. */
const YEAR = 'T';
const CHECK_POSITION = 8;
const WEIGHTS = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
/** Values of letters by 49 CFR 565.15: A to H are 1 to 8, J to R 1 to 9 without 6 and 8, S to Z 2 to 9. */
const LETTER_VALUES: Readonly<Record<string, number>> = Object.fromEntries([
  ...Array.from('ABCDEFGH', (letter, i) => [letter, i + 1]),
  ...Array.from('JKLMN', (letter, i) => [letter, i + 1]),
  ['P', 7],
  ['R', 9],
  ...Array.from('STUVWXYZ', (letter, i) => [letter, i + 2]),
]) as Readonly<Record<string, number>>;

/** A vehicle identification number with a correct check digit. */
export function makeVin(random: Random): string {
  const pick = (from: string, count: number): string =>
    Array.from({ length: count }, () => from[Math.floor(random.unit() * from.length)]).join('');
  const draft = `${MANUFACTURER}${pick(ALPHABET, 5)}0${YEAR}${pick(ALPHABET, 1)}${pick(DIGITS, 6)}`;
  return draft.slice(0, CHECK_POSITION) + checkDigit(draft) + draft.slice(CHECK_POSITION + 1);
}

/** The ninth character, from the other sixteen: the weighted sum modulo 11, X for 10. */
export function checkDigit(vin: string): string {
  const sum = [...vin].reduce(
    (total, character, i) => total + WEIGHTS[i]! * (LETTER_VALUES[character] ?? Number(character)),
    0,
  );
  return sum % 11 === 10 ? 'X' : String(sum % 11);
}
