import type { MapView, Size } from './map-view.js';

/** Pixels of a tile. */
const TILE_PX = 256;
const MAX_ZOOM = 19;
/** Tiles that are kept, the last used. */
const KEPT_MAX = 400;
/** Tiles of one picture; a huge screen gets coarser ones. */
const SHOWN_MAX = 120;

interface Tile {
  readonly z: number;
  readonly x: number;
  readonly y: number;
}

/** The tiles that cover a view, at the zoom that fits it best. */
export function tilesOf({ scale, centre }: MapView, { width, height }: Size): readonly Tile[] {
  let z = Math.max(0, Math.min(MAX_ZOOM, Math.round(Math.log2(scale / TILE_PX))));
  for (; ; z--) {
    const n = 2 ** z;
    const range = (middle: number, pixels: number): readonly number[] => {
      const first = Math.max(0, Math.floor((middle - pixels / 2 / scale) * n));
      const last = Math.min(n - 1, Math.floor((middle + pixels / 2 / scale) * n));
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
    };
    const [xs, ys] = [range(centre.x, width), range(centre.y, height)];
    if (xs.length * ys.length > SHOWN_MAX && z > 0) continue;
    return xs.flatMap((x) => ys.map((y) => ({ z, x, y })));
  }
}

/** Pictures of the ground from a server of tiles, each loaded once. */
export class MapTiles {
  readonly #template: string;
  readonly #onLoaded: () => void;
  readonly #images = new Map<string, HTMLImageElement>();

  /** @param template - An address with `{z}`, `{x}` and `{y}`. */
  constructor(template: string, onLoaded: () => void) {
    this.#template = template;
    this.#onLoaded = onLoaded;
  }

  /** Draws those that are there, and loads the others. */
  draw(context: CanvasRenderingContext2D, view: MapView, size: Size): void {
    for (const tile of tilesOf(view, size)) {
      const image = this.#image(tile);
      if (!image.complete || image.naturalWidth === 0) continue;
      const side = view.scale / 2 ** tile.z;
      const x = (tile.x / 2 ** tile.z - view.centre.x) * view.scale + size.width / 2;
      const y = (tile.y / 2 ** tile.z - view.centre.y) * view.scale + size.height / 2;
      // A little larger, so that no line shows between two of them.
      context.drawImage(image, x, y, side + 0.5, side + 0.5);
    }
  }

  #image({ z, x, y }: Tile): HTMLImageElement {
    const address = this.#template
      .replace('{z}', String(z))
      .replace('{x}', String(x))
      .replace('{y}', String(y));
    const known = this.#images.get(address);
    const image = known ?? new Image();
    // The last used come last.
    this.#images.delete(address);
    this.#images.set(address, image);
    if (known !== undefined) return known;
    const [oldest] = this.#images.keys();
    if (this.#images.size > KEPT_MAX && oldest !== undefined) this.#images.delete(oldest);
    // Public servers of tiles refuse pages that do not say who they are.
    image.referrerPolicy = 'origin';
    image.addEventListener('load', this.#onLoaded);
    image.src = address;
    return image;
  }
}
