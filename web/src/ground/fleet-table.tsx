import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../ui/icon.js';
import { toneIcons } from './answer-card.js';
import type { Cell, Verdict } from './judge.js';
import { addressOf } from './model.js';
import type { FleetRow } from './wire.js';

export interface FleetLine {
  readonly row: FleetRow;
  readonly verdict: Verdict;
}

/** Rows that are rendered above and below what is seen. */
const SPARE_ROWS = 6;
const columns = [
  ['robot', 'Robot'],
  ['state', 'State'],
  ['heard', 'Heard'],
  ['alerts', 'Alerts'],
  ['unsynced', 'Not in the store'],
  ['risk', 'At risk'],
  ['disk', 'Disk'],
] as const;

/** A line per robot. Only the lines that are seen are rendered. */
export function FleetTable({ lines }: { readonly lines: readonly FleetLine[] }) {
  const scroller = useRef<HTMLDivElement>(null);
  const { top, height, rowHeight } = usePlace(scroller);
  const first = Math.max(0, Math.min(Math.floor(top / rowHeight) - SPARE_ROWS, lines.length - 1));
  const last = Math.min(lines.length, Math.ceil((top + height) / rowHeight) + SPARE_ROWS);
  return (
    <div class="scroll robots-scroll" ref={scroller} role="region" aria-label="Table of robots" tabIndex={0}>
      <table class="grid robots-grid" aria-rowcount={lines.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map(([key, title]) => (
              <th key={key} scope="col" class={`cell-${key}`}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 ? <Spacer height={first * rowHeight} /> : null}
          {lines.slice(first, last).map((line, index) => (
            <Line key={line.row.robot} line={line} index={first + index + 2} />
          ))}
          {last < lines.length ? <Spacer height={(lines.length - last) * rowHeight} /> : null}
        </tbody>
      </table>
      {lines.length === 0 ? <p class="empty">No robot matches.</p> : null}
    </div>
  );
}

/** What is seen of a scrolled box. */
function usePlace(scroller: { readonly current: HTMLDivElement | null }) {
  const [place, setPlace] = useState({ top: 0, height: 600, rowHeight: 40 });
  useEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    let frame = 0;
    const measure = (): void => {
      frame = 0;
      const rowHeight = parseFloat(getComputedStyle(box).getPropertyValue('--row')) || 40;
      const next = { top: box.scrollTop, height: box.clientHeight, rowHeight };
      setPlace((before) => (JSON.stringify(before) === JSON.stringify(next) ? before : next));
    };
    const soon = (): void => {
      frame ||= requestAnimationFrame(measure);
    };
    measure();
    box.addEventListener('scroll', soon, { passive: true });
    const sizes = new ResizeObserver(soon);
    sizes.observe(box);
    return () => {
      cancelAnimationFrame(frame);
      box.removeEventListener('scroll', soon);
      sizes.disconnect();
    };
  }, []);
  return place;
}

function Spacer({ height }: { readonly height: number }) {
  return (
    <tr class="spacer" aria-hidden="true">
      <td style={{ height: `${height}px` }} />
    </tr>
  );
}

function Line({ line: { row, verdict }, index }: { readonly line: FleetLine; readonly index: number }) {
  const { tone } = verdict;
  return (
    <tr
      aria-rowindex={index}
      class={`line-${tone} ${row.connected ? '' : 'line-gone'}`}
      data-robot={row.robot}
    >
      <th scope="row" class="cell-robot">
        <a href={addressOf(row.robot)}>
          <span class={`tone-${tone} line-icon`}>
            <Icon name={toneIcons[tone]} />
          </span>
          <span class="line-name">{row.robot}</span>
        </a>
        {row.vin === '' ? null : <span class="line-vin">{row.vin}</span>}
      </th>
      <Fact name="state" cell={verdict.state} />
      <Fact name="heard" cell={verdict.heard} />
      <Fact name="alerts" cell={verdict.alerts} title={row.alerts.map(({ summary }) => summary).join('\n')} />
      <Fact name="unsynced" cell={verdict.unsynced} />
      <Fact name="risk" cell={verdict.risk} />
      <Fact name="disk" cell={verdict.disk} />
    </tr>
  );
}

function Fact(props: { readonly name: string; readonly cell: Cell; readonly title?: string }) {
  const { name, cell, title } = props;
  const tone =
    cell.tone === 'quiet' ? 'dim' : cell.tone === 'warn' || cell.tone === 'bad' ? `tone-${cell.tone}` : '';
  return (
    <td class={`cell-${name} ${tone}`} {...(title ? { title } : {})}>
      {cell.text}
    </td>
  );
}
