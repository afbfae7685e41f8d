/** Maximum messages and bytes per wake-up, over all topics of a session. */
const MESSAGES_PER_WAKE = 4_096;
const BYTES_PER_WAKE = 64 * 1024 * 1024;
/** Every topic may take this many, for any number of busy topics. */
const LEAST_MESSAGES = 16;
const LEAST_BYTES = 1024 * 1024;

/**
 * How much one topic may take at once. A wake-up serves every topic with messages in turn. A topic may take
 * its share among the topics that were busy at the previous wake-up, so a flooding topic delays the others by
 * a few milliseconds and never starves them. The rest stays with the middleware until the next wake-up.
 */
export class DrainShare {
  #busy = 0;
  #busyBefore = 1;

  /** Called at the end of every wake-up. */
  nextWake(): void {
    this.#busyBefore = Math.max(1, this.#busy);
    this.#busy = 0;
  }

  /** Called by a topic that begins to take. */
  begin(): void {
    this.#busy++;
  }

  get messages(): number {
    return Math.max(LEAST_MESSAGES, Math.floor(MESSAGES_PER_WAKE / this.#busyBefore));
  }

  get bytes(): number {
    return Math.max(LEAST_BYTES, Math.floor(BYTES_PER_WAKE / this.#busyBefore));
  }
}
