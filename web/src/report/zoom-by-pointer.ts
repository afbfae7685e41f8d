import { svgElement, type TimeView } from './time-view.js';

/** Shorter drags are clicks, pixels. */
const LEAST_PX = 6;

/** Drag over a period to enlarge it; a double click shows everything again. A finger scrolls as usual. */
export function zoomByPointer(plot: SVGSVGElement, view: TimeView): void {
  let fromPx: number | undefined;
  const brush = svgElement('rect', { class: 'brush', height: '100%' });
  const place = (event: PointerEvent): number => {
    const box = plot.getBoundingClientRect();
    return Math.max(0, Math.min(box.width, event.clientX - box.left));
  };
  plot.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || event.pointerType === 'touch') return;
    fromPx = place(event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener('pointermove', (event) => {
    if (fromPx === undefined) return;
    const now = place(event);
    brush.setAttribute('x', String(Math.min(now, fromPx)));
    brush.setAttribute('width', String(Math.abs(now - fromPx)));
    plot.append(brush);
  });
  plot.addEventListener('pointerup', (event) => {
    if (fromPx === undefined) return;
    const [a, b] = [fromPx, place(event)].sort((x, y) => x - y) as [number, number];
    fromPx = undefined;
    brush.remove();
    if (b - a < LEAST_PX) return;
    const scale = (view.toS - view.fromS) / plot.getBoundingClientRect().width;
    view.show(view.fromS + a * scale, view.fromS + b * scale);
  });
  plot.addEventListener('pointercancel', () => {
    fromPx = undefined;
    brush.remove();
  });
  plot.addEventListener('dblclick', () => view.step('all'));
}
