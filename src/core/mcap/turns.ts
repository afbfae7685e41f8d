import { setImmediate as turn } from 'node:timers/promises';

const MESSAGES = 4_096;
const BYTES = 4 * 1024 * 1024;

/**
 * Yields to the event loop now and then. Reading from memory never waits. Without a turn for the event loop,
 * the process would not see the signal that ends it, and no timer would run.
 */
export class Turns {
  #messages = 0;
  #bytes = 0;

  /** @param bytes number of bytes decoded or handed out since the last call */
  async worked(messages: number, bytes: number): Promise<void> {
    this.#messages += messages;
    this.#bytes += bytes;
    if (this.#messages < MESSAGES && this.#bytes < BYTES) return;
    this.#messages = 0;
    this.#bytes = 0;
    await turn();
  }
}
