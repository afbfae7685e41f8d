import { timeTicks } from '../../../src/exporters/report/ticks.js';

const LEAST_SHARE = 1e-4;

/** The period that all charts show, and how to change it. */
export class TimeView {
  fromS = 0;
  toS: number;
  readonly #curves = [...document.querySelectorAll<SVGSVGElement>('svg.zoomed')].map((svg) => ({
    svg,
    columns: svg.viewBox.baseVal.width,
    height: svg.viewBox.baseVal.height,
  }));
  readonly #spans = document.querySelectorAll<SVGElement>('[data-a]');
  readonly #labels = document.querySelectorAll<SVGSVGElement>('.tlabels');
  readonly #grids = document.querySelectorAll<SVGGElement>('.tgrid');
  readonly #shown = document.querySelector('#shown');

  /** @param startMs - Start of the range, milliseconds since the Unix epoch. */
  constructor(
    readonly startMs: number,
    readonly lengthS: number,
  ) {
    this.toS = lengthS;
  }

  get isWhole(): boolean {
    return this.fromS === 0 && this.toS === this.lengthS;
  }

  step(how: string): void {
    const length = this.toS - this.fromS;
    if (how === 'in') this.show(this.fromS + length / 4, this.toS - length / 4);
    else if (how === 'out') this.show(this.fromS - length / 2, this.toS + length / 2);
    else if (how === 'left') this.show(this.fromS - length / 2, this.toS - length / 2);
    else if (how === 'right') this.show(this.fromS + length / 2, this.toS + length / 2);
    else this.show(0, this.lengthS);
  }

  show(fromS: number, toS: number): void {
    const length = Math.min(this.lengthS, Math.max(this.lengthS * LEAST_SHARE, toS - fromS));
    this.fromS = Math.max(0, Math.min(this.lengthS - length, fromS));
    this.toS = this.fromS + length;
    for (const { svg, columns, height } of this.#curves) {
      const x = (this.fromS / this.lengthS) * columns;
      svg.setAttribute('viewBox', `${x} 0 ${(length / this.lengthS) * columns} ${height}`);
    }
    for (const span of this.#spans) this.#place(span);
    for (const svg of this.#labels) svg.replaceChildren(...this.#ticks(svg).map(tickText));
    for (const grid of this.#grids) grid.replaceChildren(...this.#ticks(grid).map(tickLine));
    if (this.#shown !== null) this.#shown.textContent = this.isWhole ? '' : this.#words();
  }

  /** The position of a time in the shown period, 0 to 1. */
  #share(atS: number): number {
    return (atS - this.fromS) / (this.toS - this.fromS);
  }

  #place(span: SVGElement): void {
    const from = this.#share(Number(span.dataset['a']));
    if (span.tagName === 'line') {
      span.setAttribute('x1', `${100 * from}%`);
      span.setAttribute('x2', `${100 * from}%`);
      return;
    }
    // Clipped to the visible part, because pixels far outside lose their precision.
    const [left, right] = [Math.max(-0.1, from), Math.min(1.1, this.#share(Number(span.dataset['b'])))];
    span.setAttribute('visibility', right < 0 || left > 1 ? 'hidden' : 'visible');
    span.setAttribute('x', `${100 * left}%`);
    // A period of no length stays visible.
    span.setAttribute('width', `${100 * Math.max(0.004, right - left)}%`);
  }

  #ticks(element: SVGElement): readonly Tick[] {
    const wanted = Number(element.dataset['ticks']);
    return timeTicks(this.startMs, this.fromS, this.toS, wanted).map(({ atS, label }) => ({
      share: this.#share(atS),
      label,
    }));
  }

  #words(): string {
    const length = this.toS - this.fromS;
    const text = length >= 60 ? `${(length / 60).toFixed(1)} min` : `${Number(length.toPrecision(3))} s`;
    const from = new Date(this.startMs + this.fromS * 1_000).toISOString().slice(11, 23);
    return `${text} from ${from}`;
  }
}

interface Tick {
  readonly share: number;
  readonly label: string;
}

export function svgElement<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function tickText({ share, label }: Tick): SVGTextElement {
  const anchor = share < 0.05 ? 'start' : share > 0.95 ? 'end' : 'middle';
  const text = svgElement('text', { x: `${100 * share}%`, y: '12', 'text-anchor': anchor });
  text.textContent = label;
  return text;
}

function tickLine({ share }: Tick): SVGLineElement {
  const x = `${100 * share}%`;
  return svgElement('line', { class: 'grid', x1: x, x2: x, y2: '100%' });
}
