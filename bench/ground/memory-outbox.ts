import type { Catalogue } from '../../src/uplink/protocol/field-spec.js';
import type { OutboxSample } from '../../src/uplink/protocol/outbox-codec.js';
import type { Waiting, WaitingSamples } from '../../src/uplink/robot/outbox.js';

/** In the size of a sample: tick, time and tags. */
const SAMPLE_BYTES = 24;
const VALUE_BYTES = 8;

/** The outbox of a simulated robot, without a disk: what the ground has not confirmed, by tick. */
export class MemoryOutbox implements WaitingSamples {
  /** In the order of their ticks. */
  readonly #samples = new Map<number, OutboxSample>();
  readonly #run: bigint;
  readonly #catalogue: Catalogue;

  constructor(run: bigint, catalogue: Catalogue) {
    this.#run = run;
    this.#catalogue = catalogue;
  }

  get size(): number {
    return this.#samples.size;
  }

  append(sample: OutboxSample): void {
    this.#samples.set(sample.tick, sample);
  }

  read(
    after: string,
    beforeTick: number,
    maxBytes: number,
    maxSamples: number,
  ): Promise<Waiting | undefined> {
    const from = after === 's' ? -1 : Number(after);
    const samples: OutboxSample[] = [];
    let bytes = 0;
    for (const sample of this.#samples.values()) {
      if (sample.tick >= beforeTick || bytes >= maxBytes || samples.length >= maxSamples) break;
      if (sample.tick <= from) continue;
      samples.push(sample);
      bytes += SAMPLE_BYTES + VALUE_BYTES * sample.values.length;
    }
    const last = samples.at(-1);
    if (last === undefined) return Promise.resolve(undefined);
    const [run, catalogue] = [this.#run, this.#catalogue];
    return Promise.resolve({ run, bytes, end: String(last.tick), catalogueKey: 'c', catalogue, samples });
  }

  remove(_run: bigint, firstTick: number, ticks: number): Promise<void> {
    for (let tick = firstTick; tick < firstTick + ticks; tick++) this.#samples.delete(tick);
    return Promise.resolve();
  }

  removed(): Promise<readonly never[]> {
    return Promise.resolve([]);
  }
}
