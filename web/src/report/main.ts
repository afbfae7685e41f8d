/**
 * The interactive functions of the `holdfast report` page: zoom in time, show values, filter. Everything is
 * drawn already, and this code only moves it. It is bundled into the page, without code of the dashboard.
 */
import { Filter } from './filter.js';
import { TimeView } from './time-view.js';
import { readOff } from './read-off.js';
import { zoomByPointer } from './zoom-by-pointer.js';

const { start, length } = document.body.dataset;
if (start !== undefined && length !== undefined) {
  const view = new TimeView(Number(start), Number(length));
  document.querySelectorAll<HTMLElement>('.tools').forEach((tools) => (tools.hidden = false));
  document.querySelectorAll<HTMLButtonElement>('[data-zoom]').forEach((button) => {
    button.addEventListener('click', () => view.step(button.dataset['zoom'] ?? 'all'));
  });
  new Filter();
  document.querySelectorAll<SVGSVGElement>('.plot, .strip').forEach((plot) => zoomByPointer(plot, view));
  document.querySelectorAll<SVGSVGElement>('.plot').forEach((plot) => readOff(plot, view));
}
// Everything is open on paper.
addEventListener('beforeprint', () => {
  document.querySelectorAll('details').forEach((details) => (details.open = true));
});
