import { count, counted } from '../model/format.js';

export interface LegendEntry {
  readonly key: string;
  /** Class of its colour. */
  readonly style: string;
  readonly name: string;
  readonly count: number;
}

/** What the bars of a timeline mean, and how many there are of each. */
export function Legend(props: { readonly entries: readonly LegendEntry[]; readonly gaps: number }) {
  const { entries, gaps } = props;
  return (
    <ul class="legend" role="list">
      {entries
        .filter((one) => one.count > 0)
        .map(({ key, style, name, count: found }) => (
          <li key={key}>
            <span class={`chip ${style}`} aria-hidden="true" />
            {count(found)} {name}
          </li>
        ))}
      {gaps > 0 ? (
        <li>
          <span class="chip chip-gap" aria-hidden="true" />
          {counted(gaps, 'gap')}
        </li>
      ) : null}
    </ul>
  );
}
