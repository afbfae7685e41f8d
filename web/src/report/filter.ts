/** Shows only the parts of one robot and of topics with a text in their names. */
export class Filter {
  readonly #text = document.querySelector<HTMLInputElement>('#filter');
  readonly #robot = document.querySelector<HTMLSelectElement>('#robot');
  readonly #parts = document.querySelectorAll<HTMLElement>(
    'main [data-topic], main tbody[data-robot], main tr[data-robot]',
  );

  constructor() {
    this.#text?.addEventListener('input', () => this.#apply());
    this.#robot?.addEventListener('change', () => this.#apply());
  }

  #apply(): void {
    const wanted = this.#text?.value.trim().toLowerCase() ?? '';
    const robot = this.#robot?.value ?? '';
    for (const part of this.#parts) {
      const { topic, robot: own = part.closest<HTMLElement>('[data-robot]')?.dataset['robot'] } =
        part.dataset;
      const fits = topic === undefined || topic.toLowerCase().includes(wanted);
      part.hidden = !fits || (robot !== '' && own !== undefined && own !== '' && own !== robot);
    }
    // Headings without content are hidden too.
    for (const group of document.querySelectorAll<HTMLElement>('.group')) {
      group.hidden = [...group.querySelectorAll<HTMLElement>('.chart')].every(({ hidden }) => hidden);
    }
  }
}
