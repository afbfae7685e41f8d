import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

/** One part of the page with its heading; a landmark, so that a screen reader can jump to it. */
export function Panel({
  title,
  aside,
  area,
  children,
}: {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly area: string;
  readonly children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class={`panel panel-${area}`} aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{title}</h2>
        {aside === undefined ? null : <div class="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** Facts: terms with their values. */
export function Facts({ children }: { readonly children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>;
}

export function Fact({
  term,
  tone,
  children,
}: {
  readonly term: string;
  readonly tone?: 'ok' | 'warn' | 'bad' | undefined;
  readonly children: ComponentChildren;
}) {
  return (
    <div class="fact">
      <dt>{term}</dt>
      <dd class={tone === undefined ? undefined : `tone-${tone}`}>{children}</dd>
    </div>
  );
}

/** A share of a whole as a bar, with its `label`. */
export function Meter({
  value,
  label,
  text,
  tone = 'plain',
}: {
  /** 0 to 1 */
  readonly value: number;
  readonly label: string;
  readonly text: string;
  readonly tone?: 'plain' | 'warn' | 'bad' | 'info';
}) {
  const share = Math.min(1, Math.max(0, Number.isFinite(value) ? value : 0));
  return (
    <div
      class={`meter meter-${tone}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)}
      aria-valuetext={text}
    >
      <span class="meter-fill" style={{ width: `${(share * 100).toFixed(2)}%` }} />
    </div>
  );
}
