import { rename } from 'node:fs/promises';

/**
 * The dead zone: the store's folder is moved away, as a disk that is unplugged or a share that is not
 * mounted any more, and moved back at the end. Open files go with it.
 */
export class Tunnel {
  inside = false;

  constructor(private readonly storePath: string) {}

  async enter(): Promise<void> {
    await rename(this.storePath, this.#elsewhere);
    this.inside = true;
  }

  async leave(): Promise<void> {
    if (!this.inside) return;
    await rename(this.#elsewhere, this.storePath);
    this.inside = false;
  }

  get #elsewhere(): string {
    return `${this.storePath}.out-of-reach`;
  }
}
