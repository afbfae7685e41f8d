/** Samples that a full outbox removed: consecutive ticks of one run with the same fields. */
export interface RemovedPiece {
  /** Order of the run in the outbox. */
  readonly order: number;
  /** Of the fields in the run. */
  readonly version: number;
  readonly run: bigint;
  readonly firstTick: number;
  ticks: number;
  /** Of the first tick, on the robot's clock. */
  readonly timeNs: bigint;
}

/** One sample that was removed. */
export type RemovedSample = Omit<RemovedPiece, 'firstTick' | 'ticks'> & { readonly tick: number };

/** More pieces come from a clock that jumps again and again; the oldest are then forgotten. */
const MAX_PIECES = 1_000;
const PIECE_BYTES = 24;

/** What a full outbox removed, until the ground has noted it. */
export class RemovedPieces {
  readonly #tickNs: bigint;
  readonly #pieces = new Map<string, RemovedPiece>();
  /** Names of pieces that differ from what is on disk. */
  readonly #changed = new Set<string>();
  #last: RemovedPiece | undefined;

  constructor(tickNs: number) {
    this.#tickNs = BigInt(tickNs);
  }

  get size(): number {
    return this.#pieces.size;
  }

  /** The oldest pieces. */
  first(count: number): readonly RemovedPiece[] {
    return [...this.#pieces.values()].slice(0, count);
  }

  /** Samples in the order in which they were taken, apart from those of earlier calls. */
  add({ order, version, run, tick, timeNs }: RemovedSample): void {
    const last = this.#last;
    const isNext =
      last?.order === order &&
      last.version === version &&
      last.firstTick + last.ticks === tick &&
      last.timeNs + BigInt(last.ticks) * this.#tickNs === timeNs;
    if (isNext) {
      last.ticks++;
      this.#changed.add(nameOf(last));
      return;
    }
    const [oldest] = this.#pieces.keys();
    if (this.#pieces.size >= MAX_PIECES && oldest !== undefined) this.#drop(oldest);
    this.#put({ order, version, run, firstTick: tick, ticks: 1, timeNs }, true);
  }

  /** Reads a piece from disk. */
  load(name: string, value: Uint8Array): RemovedPiece {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const piece = {
      ...{ order: Number.parseInt(name.slice(1, 9), 16), firstTick: Number.parseInt(name.slice(9), 16) },
      ...{ version: view.getUint32(0), run: view.getBigUint64(4), ticks: view.getUint32(12) },
      timeNs: view.getBigInt64(16),
    };
    this.#put(piece, false);
    return piece;
  }

  /** The ground has noted these ticks. A piece that has grown since then stays. */
  forget(order: number, firstTick: number, ticks: number): void {
    const name = nameOf({ order, firstTick });
    if (this.#pieces.get(name)?.ticks === ticks) this.#drop(name);
  }

  /** What must be written: the value of a name, undefined if it goes. */
  *changes(): Generator<readonly [string, Uint8Array | undefined]> {
    for (const name of this.#changed) {
      const piece = this.#pieces.get(name);
      yield [name, piece === undefined ? undefined : valueOf(piece)];
    }
    this.#changed.clear();
  }

  #put(piece: RemovedPiece, isNew: boolean): void {
    const name = nameOf(piece);
    this.#pieces.set(name, piece);
    this.#last = piece;
    if (isNew) this.#changed.add(name);
  }

  #drop(name: string): void {
    if (this.#pieces.get(name) === this.#last) this.#last = undefined;
    this.#pieces.delete(name);
    this.#changed.add(name);
  }
}

/** `l<order><first tick>`, hexadecimal, as the names of samples. */
function nameOf({ order, firstTick }: Pick<RemovedPiece, 'order' | 'firstTick'>): string {
  return `l${order.toString(16).padStart(8, '0')}${firstTick.toString(16).padStart(14, '0')}`;
}

function valueOf({ version, run, ticks, timeNs }: RemovedPiece): Uint8Array {
  const view = new DataView(new ArrayBuffer(PIECE_BYTES));
  view.setUint32(0, version);
  view.setBigUint64(4, run);
  view.setUint32(12, ticks);
  view.setBigInt64(16, timeNs);
  return new Uint8Array(view.buffer);
}
