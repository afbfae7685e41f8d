import { defined } from '../core/defined.js';
import { NS_PER_MS, type Clock } from '../core/clock.js';
import { DurationHistogram, uploadBoundsMs, type DurationHistogramJson } from '../core/duration-histogram.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Manifest } from '../core/manifest.js';
import type { Derived, SegmentDeriver } from '../core/segment-deriver.js';
import { describeSchemaChange } from '../core/table-schema.js';
import type { SchemaBook } from './schema-book.js';
import { TransformCounters } from './transform-counters.js';

/** Counters of a sink that makes files of segments, since its process started; they only grow. */
export interface WriteStats {
  /** Failed attempts to make files of a segment. */
  readonly failures: number;
  /** Time to make the files of one segment, from reading it to the last file on the local disk. */
  readonly durations: DurationHistogramJson;
  /** Messages of which the files hold only the bytes, or nothing. */
  readonly undecoded: number;
  /** Tables whose columns differ from those of the previous segment. */
  readonly schemaChanges: number;
  /** The latest of them, as one line. */
  readonly lastSchemaChange?: string;
}

/** Where changes of columns are remembered and reported. */
export interface SchemaNotes {
  readonly book: SchemaBook;
  readonly logger: Logger;
}

/** Measures a deriver. */
export class WriteTimes {
  #failures = 0;
  #undecoded = 0;
  #schemaChanges = 0;
  #lastSchemaChange: string | undefined;
  readonly #durations = new DurationHistogram(uploadBoundsMs);
  /** What `sync.transform` did on the way. */
  readonly transforms = new TransformCounters();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  toJson(): WriteStats {
    return {
      failures: this.#failures,
      durations: this.#durations.toJson(),
      undecoded: this.#undecoded,
      schemaChanges: this.#schemaChanges,
      ...defined({ lastSchemaChange: this.#lastSchemaChange }),
    };
  }

  /**
   * The same deriver, but every `derive` is timed, and its columns are compared with those of the previous
   * segment. The creator of the deriver disposes of it.
   */
  measured(deriver: SegmentDeriver, notes?: SchemaNotes): SegmentDeriver {
    return {
      markerKey: (manifest) => deriver.markerKey(manifest),
      judge: (marker, manifest) => deriver.judge(marker, manifest),
      files: (marker) => deriver.files(marker),
      replacements: (store, keys, signal) => deriver.replacements(store, keys, signal),
      tombstone: (manifest) => deriver.tombstone(manifest),
      derive: async (path, manifest, scratch, signal) => {
        const begunAt = this.#clock.monotonic();
        try {
          const derived = await deriver.derive(path, manifest, scratch, signal);
          this.#durations.add(Number((this.#clock.monotonic() - begunAt) / (NS_PER_MS / 1_000n)) / 1_000);
          this.#undecoded += derived.undecoded ?? 0;
          if (derived.transformed) this.transforms.done(derived.transformed);
          if (notes) {
            noteLeftOut(derived, manifest, notes.logger);
            await this.#compare(derived, manifest, notes);
          }
          return derived;
        } catch (error) {
          if (!signal.aborted) this.#failures++;
          if (isHoldfastError(error) && error.code.startsWith('TRANSFORM_')) this.transforms.failed();
          throw error;
        }
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  /** A failure to write the book loses no segment. */
  async #compare(
    { schemas = [] }: Derived,
    manifest: Manifest,
    { book, logger }: SchemaNotes,
  ): Promise<void> {
    try {
      for (const change of await book.note(manifest, schemas)) {
        this.#schemaChanges++;
        this.#lastSchemaChange = describeSchemaChange(change);
        const segment = manifest.file.name;
        logger.warn('the columns of a table have changed', { ...change, robot: manifest.robot, segment });
      }
    } catch (error) {
      logger.warn('the columns of tables cannot be remembered', { error: describeError(error) });
    }
  }
}

function noteLeftOut({ leftOut }: Derived, { robot, file }: Manifest, logger: Logger): void {
  if (leftOut === undefined) return;
  logger.warn('tables cannot hold a part of a segment', { leftOut, robot, segment: file.name });
}
