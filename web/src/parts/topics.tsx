import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { serverNow, status, topics } from '../model/live.js';
import { ago, bytes, count, msOf, rate } from '../model/format.js';
import { changeView, view, type SortKey, type View } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { isRunning, wantedTopics } from '../model/topic-order.js';
import { Panel } from '../ui/panel.js';
import { Spark } from '../ui/spark.js';
import type { TopicRow } from '../wire.js';

/** Rows drawn beyond the visible ones, so that scrolling shows no empty area. */
const SPARE_ROWS = 6;
/** Minimum time between two changes of the order by running numbers, so that a person can follow. */
const REORDER_MS = 3_000;
/** A topic that was busy gets a warning after this silence. */
const SILENT_MS = 5_000;

interface ColumnHead {
  readonly key: SortKey | 'spark';
  readonly title: string;
  readonly isNumber?: boolean;
}

const columns: readonly ColumnHead[] = [
  { key: 'topic', title: 'Topic' },
  { key: 'type', title: 'Type' },
  { key: 'hz', title: 'Hz', isNumber: true },
  { key: 'spark', title: 'Trend' },
  { key: 'bytes', title: 'Rate', isNumber: true },
  { key: 'drops', title: 'Dropped', isNumber: true },
  { key: 'seen', title: 'Last seen', isNumber: true },
];

export function Topics() {
  const { rows, omitted } = useStore(topics);
  const chosen = useStore(view);
  const wanted = useOrder(rows, chosen);
  const robots = useStore(status)?.recorder.robots.length ?? 0;
  return (
    <Panel
      title="Topics"
      area="topics"
      aside={
        <label class="search">
          <span class="unseen">Filter topics by name, type or robot</span>
          <input
            type="search"
            name="filter"
            placeholder="Filter by name, type, robot"
            value={chosen.filter}
            onInput={({ currentTarget }) => changeView({ filter: currentTarget.value })}
          />
          <span class="search-count" aria-live="polite">
            {wanted.length === rows.length
              ? count(rows.length)
              : `${count(wanted.length)} of ${count(rows.length)}`}
          </span>
        </label>
      }
    >
      <Rows rows={wanted} chosen={chosen} showRobot={chosen.robot === '' && robots > 1} />
      {omitted > 0 ? <p class="empty">{count(omitted)} more topics are recorded but not listed.</p> : null}
    </Panel>
  );
}

/** The selected rows, in an order that is stable for a while. */
function useOrder(rows: readonly TopicRow[], chosen: View): readonly TopicRow[] {
  const order = useRef<{ key: string; atMs: number; place: Map<number, number> }>(undefined);
  return useMemo(() => {
    const sorted = wantedTopics(rows, chosen);
    const key = `${chosen.sort} ${chosen.descending} ${chosen.robot} ${chosen.filter}`;
    const held = order.current;
    const now = performance.now();
    if (!isRunning(chosen.sort) || held?.key !== key || now - held.atMs > REORDER_MS) {
      order.current = { key, atMs: now, place: new Map(sorted.map((row, index) => [row.id, index])) };
      return sorted;
    }
    const { place } = held;
    return sorted.sort(
      (a, b) => (place.get(a.id) ?? Infinity) - (place.get(b.id) ?? Infinity) || a.id - b.id,
    );
  }, [rows, chosen]);
}

function Rows({
  rows,
  chosen,
  showRobot,
}: {
  readonly rows: readonly TopicRow[];
  readonly chosen: View;
  readonly showRobot: boolean;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ top: 0, height: 420, rowHeight: 32 });
  useEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    let frame = 0;
    const measure = (): void => {
      frame = 0;
      const rowHeight = parseFloat(getComputedStyle(box).getPropertyValue('--row')) || 32;
      setPlace((before) =>
        before.top === box.scrollTop && before.height === box.clientHeight && before.rowHeight === rowHeight
          ? before
          : { top: box.scrollTop, height: box.clientHeight, rowHeight },
      );
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
  const { top, height, rowHeight } = place;
  const first = Math.max(0, Math.min(Math.floor(top / rowHeight) - SPARE_ROWS, rows.length - 1));
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + SPARE_ROWS);
  // Whole seconds, so that scrolling renders no row again.
  const now = Math.floor(serverNow() / 1_000) * 1_000;
  return (
    <div class="scroll topics-scroll" ref={scroller} role="region" aria-label="Topics table" tabIndex={0}>
      <table class="grid topics-grid" aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <Head key={column.key} column={column} chosen={chosen} />
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 ? <Spacer height={first * rowHeight} /> : null}
          {rows.slice(first, last).map((row, index) => (
            <Row key={row.id} row={row} index={first + index + 2} now={now} showRobot={showRobot} />
          ))}
          {last < rows.length ? <Spacer height={(rows.length - last) * rowHeight} /> : null}
        </tbody>
      </table>
      {rows.length === 0 ? <p class="empty">No topic matches.</p> : null}
    </div>
  );
}

function Spacer({ height }: { readonly height: number }) {
  return (
    <tr class="spacer" aria-hidden="true">
      <td style={{ height: `${height}px` }} />
    </tr>
  );
}

function Head({ column, chosen }: { readonly column: ColumnHead; readonly chosen: View }) {
  const { key, title, isNumber } = column;
  const classes = `col-${key} ${isNumber ? 'num' : ''}`;
  if (key === 'spark') {
    return (
      <th scope="col" class={classes}>
        {title}
      </th>
    );
  }
  const isSorted = chosen.sort === key;
  const order = chosen.descending ? 'descending' : 'ascending';
  return (
    <th scope="col" class={classes} aria-sort={isSorted ? order : 'none'}>
      <button
        type="button"
        class="sort"
        onClick={() =>
          changeView({ sort: key, descending: isSorted ? !chosen.descending : isNumber === true })
        }
      >
        {title}
        <span class="sort-mark" aria-hidden="true">
          {isSorted ? (chosen.descending ? '↓' : '↑') : ''}
        </span>
      </button>
    </th>
  );
}

function Row({
  row,
  index,
  now,
  showRobot,
}: {
  readonly row: TopicRow;
  readonly index: number;
  readonly now: number;
  readonly showRobot: boolean;
}) {
  return useMemo(
    () => (
      <tr aria-rowindex={index} class={row.present ? undefined : 'gone'}>
        <th scope="row" class="col-topic">
          <span class="topic-name" title={row.topic}>
            {row.topic}
          </span>
          <span class="topic-tags">
            {showRobot && !row.topic.includes(row.robot) ? <span class="tag">{row.robot}</span> : null}
            {row.latched ? <span class="tag">latched</span> : null}
            {row.priority === 'normal' ? null : <span class="tag">{row.priority}</span>}
            {row.present ? null : <span class="tag tag-warn">nobody publishes</span>}
          </span>
          <span class="topic-type-small">{row.type}</span>
        </th>
        <td class="col-type" title={`${row.type}, ${row.encoding}`}>
          {row.type}
        </td>
        <td class="col-hz num">{rate(row.messagesPerS)}</td>
        <td class="col-spark">
          <Spark values={row.spark} last={row.messagesPerS} />
        </td>
        <td class="col-bytes num">{bytes(row.bytesPerS)}/s</td>
        <td class={`col-drops num ${row.dropped > 0 ? 'tone-warn' : 'dim'}`}>{count(row.dropped)}</td>
        <Seen row={row} now={now} />
      </tr>
    ),
    [row, index, now, showRobot],
  );
}

function Seen({ row, now }: { readonly row: TopicRow; readonly now: number }) {
  if (row.lastReceivedAt === undefined) return <td class="col-seen num dim">never</td>;
  const agoMs = Math.max(0, now + 999 - msOf(row.lastReceivedAt));
  const wasBusy = row.spark.some((value) => value > 0.5);
  const isLate = agoMs > SILENT_MS && wasBusy && !row.latched;
  return (
    <td class={`col-seen num ${isLate ? 'tone-warn' : 'dim'}`}>
      {agoMs < 2_000 ? 'now' : `${ago(agoMs)} ago`}
    </td>
  );
}
