import { svgElement, type TimeView } from './time-view.js';

/** The curve's extremes by column, read from its path. */
interface Curve {
  readonly label: string;
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** Number of columns to each side in which a value is searched. */
const NEAR_PX = 12;

/** Shows the values under the pointer. They come from the path, so the page has no value twice. */
export function readOff(plot: SVGSVGElement, view: TimeView): void {
  const inner = plot.querySelector<SVGSVGElement>('svg.zoomed');
  const figure = plot.closest('figure');
  if (inner === null || figure === null) return;
  const { columns, height } = { columns: inner.viewBox.baseVal.width, height: inner.viewBox.baseVal.height };
  const [low, high] = [Number(plot.dataset['lo']), Number(plot.dataset['hi'])];
  const unit = plot.dataset['unit'] ?? '';
  let curves: Curve[] | undefined;
  const cursor = svgElement('line', { class: 'cursor', y2: '100%' });
  const reading = document.createElement('div');
  reading.className = 'reading';
  reading.setAttribute('aria-hidden', 'true');
  const hide = (): void => {
    cursor.remove();
    reading.remove();
  };
  plot.addEventListener('pointerleave', hide);
  plot.addEventListener('pointermove', (event) => {
    curves ??= [...inner.querySelectorAll('path')].map((path) =>
      curveOf(
        path.getAttribute('d') ?? '',
        columns,
        path.dataset['label'] ?? '',
        (y) => high - (y / height) * (high - low),
      ),
    );
    const box = plot.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const atS = view.fromS + share * (view.toS - view.fromS);
    const column = (atS / view.lengthS) * columns;
    const near = (NEAR_PX / box.width) * ((view.toS - view.fromS) / view.lengthS) * columns;
    const lines = curves.flatMap((curve) =>
      wordsAt(curve, column, Math.max(1, near), unit, (high - low) / height),
    );
    cursor.setAttribute('x1', `${100 * share}%`);
    cursor.setAttribute('x2', `${100 * share}%`);
    plot.append(cursor);
    const time = new Date(view.startMs + atS * 1_000).toISOString().slice(11, 23);
    reading.textContent = [time, ...lines].join('\n');
    figure.append(reading);
  });
}

function wordsAt(curve: Curve, column: number, near: number, unit: string, resolution: number): string[] {
  let best = -1;
  for (
    let i = Math.max(0, Math.floor(column - near));
    i <= Math.min(curve.low.length - 1, column + near);
    i++
  ) {
    if (Number.isNaN(curve.low[i]!)) continue;
    if (best < 0 || Math.abs(i - column) < Math.abs(best - column)) best = i;
  }
  if (best < 0) return [];
  const [low, high] = [curve.low[best]!, curve.high[best]!];
  // No more digits than the drawing has.
  const decimals = Math.max(0, Math.min(10, Math.ceil(-Math.log10(resolution))));
  const text = low === high ? low.toFixed(decimals) : `${low.toFixed(decimals)} to ${high.toFixed(decimals)}`;
  return [`${curve.label === '' ? '' : `${curve.label}: `}${text}${unit === '' ? '' : ` ${unit}`}`];
}

/** Follows a path of the steps `M x y`, `m`, `l`, `v` and `h0`. */
function curveOf(path: string, columns: number, label: string, valueOf: (y: number) => number): Curve {
  const low = new Float64Array(columns).fill(NaN);
  const high = new Float64Array(columns).fill(NaN);
  let [x, y] = [0, 0];
  for (const [, letter, first, second] of path.matchAll(/([Mmlvh])(-?\d+)(?: ?(-?\d+))?/g)) {
    if (letter === 'M') [x, y] = [Number(first), Number(second)];
    else if (letter === 'm' || letter === 'l') [x, y] = [x + Number(first), y + Number(second)];
    else if (letter === 'v') y += Number(first);
    const value = valueOf(y);
    if (!(low[x]! <= value)) low[x] = value;
    if (!(high[x]! >= value)) high[x] = value;
  }
  return { label, low, high };
}
