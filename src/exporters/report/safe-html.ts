import { escapeMarkup } from '../../core/escape-markup.js';
import { present } from '../../core/present.js';
/** Markup that may be in a page unchanged. {@link html} escapes everything else. */
export class SafeHtml {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

export type HtmlValue = SafeHtml | string | number | undefined | false | readonly HtmlValue[];

/**
 * Escapes a name that comes from messages: no markup and no invisible characters. Control characters and
 * characters that change the writing direction appear as their numbers.
 */
export function escapeText(text: string): string {
  return escapeMarkup(
    text.replace(
      /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu,
      (char) => `\\u{${present(char.codePointAt(0)).toString(16)}}`,
    ),
  );
}

/**
 * A template that escapes its values unless they are {@link SafeHtml}. Lists are joined; `undefined` and
 * `false` give nothing.
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): SafeHtml {
  const own = compact(parts);
  let text = own[0]!;
  for (let i = 0; i < values.length; i++) text += markup(values[i]) + own[i + 1]!;
  return new SafeHtml(text);
}

const compacted = new WeakMap<TemplateStringsArray, readonly string[]>();

/**
 * Templates are indented for readability. Whitespace has no meaning in the page, so a line break replaces it.
 */
function compact(parts: TemplateStringsArray): readonly string[] {
  let own = compacted.get(parts);
  if (own === undefined) compacted.set(parts, (own = parts.map((part) => part.replace(/\s*\n\s*/g, '\n'))));
  return own;
}

function markup(value: HtmlValue): string {
  if (value === undefined || value === false) return '';
  if (value instanceof SafeHtml) return value.text;
  if (typeof value === 'string') return escapeText(value);
  if (typeof value === 'number') return String(value);
  return value.map(markup).join('');
}
