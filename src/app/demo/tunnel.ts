import { rename } from 'node:fs/promises';

/**
 * The dead zone: the store's folder is moved away, like an unplugged disk or an unmounted share, and moved
 * back at the end. Open files move with it.
 */
export class Tunnel {
  inside = false;

  readonly #storePath: string;

  constructor(storePath: string) {
    this.#storePath = storePath;
  }

  async enter(): Promise<void> {
    await rename(this.#storePath, this.#elsewhere);
    this.inside = true;
  }

  async leave(): Promise<void> {
    if (!this.inside) return;
    await rename(this.#elsewhere, this.#storePath);
    this.inside = false;
  }

  get #elsewhere(): string {
    return `${this.#storePath}.out-of-reach`;
  }
}
