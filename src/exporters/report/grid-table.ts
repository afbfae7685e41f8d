import { html, SafeHtml, type HtmlValue } from './safe-html.js';

/** A head cell: its text, or the complete cell. */
export type ColumnHead = string | SafeHtml;

/** The head cell of a column of numbers. */
export function num(text: string): SafeHtml {
  return html`<th scope="col" class="num">${text}</th>`;
}

export interface GridTable {
  /** Label of the scrolling box, for screen readers. */
  readonly label: string;
  /** Default: the label. */
  readonly caption?: string;
  /** Further classes beside `grid`. */
  readonly kind?: string;
  readonly columns: readonly ColumnHead[];
  readonly rows: HtmlValue;
  /** The rows are complete `tbody` elements. */
  readonly hasBodies?: boolean;
}

/** A table in a box that scrolls sideways, with a caption for screen readers. */
export function gridTable({
  label,
  caption = label,
  kind,
  columns,
  rows,
  hasBodies = false,
}: GridTable): SafeHtml {
  const heads = columns.map((head) => (head instanceof SafeHtml ? head : html`<th scope="col">${head}</th>`));
  return html`<div class="tablebox" tabindex="0" role="region" aria-label="${label}">
    <table class="grid${kind !== undefined && ` ${kind}`}">
      <caption class="unseen">
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      ${
        hasBodies
          ? rows
          : html`<tbody>
              ${rows}
            </tbody>`
      }
    </table>
  </div>`;
}
