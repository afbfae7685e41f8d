import { dirname } from 'node:path/posix';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { LakeFile } from '../../core/lake-manifest.js';
import type { Store } from '../../core/store.js';
import { present } from '../../core/present.js';
import type { Problem } from '../../recordings/segments.js';
import { storeReadable } from '../../recordings/store-readable.js';
import { COMPACT_WRITER, isCompacted, judgeChanges, LAKE_WRITER, type ChangeVerdict } from './lake-claims.js';
import type { LakeState } from './lake-state.js';
import { footerOf } from './merge-tables.js';

export interface RemovalPorts {
  readonly store: Store;
  readonly signal: AbortSignal;
  /** Called with each file that is kept, and why. */
  readonly onProblem: (problem: Problem) => void;
}

/**
 * Removes files of a lake, each only if this protocol provably made it. Kind: a Parquet file whose footer
 * names Holdfast's writers. Place: the folder of the lake it belongs to. Marker: a marker or a sound step of
 * the history lists it. Checksum: the object has the listed bytes. All other files are kept and reported. A
 * segment is never removed.
 */
export class ProvenRemoval {
  readonly #form: string;
  readonly #verdicts: readonly ChangeVerdict[];
  readonly #listed: ReadonlyMap<string, LakeFile>;
  readonly #ports: RemovalPorts;
  readonly #standing = new Map<ChangeVerdict, Promise<boolean>>();

  constructor(state: LakeState, ports: RemovalPorts) {
    this.#form = state.form;
    this.#listed = state.listed;
    this.#verdicts = judgeChanges(state.form, state.changes, state.listed);
    this.#ports = ports;
    for (const { change, fault } of this.#verdicts) {
      if (fault !== undefined) this.#keep(`change ${change.number} of lake ${state.form}`, fault);
    }
  }

  /** Removes the files that a step replaced. False: it is kept, or already gone. */
  async replaced(key: string): Promise<boolean> {
    const verdict = this.#verdicts.findLast(({ replaced }) => replaced.some((file) => file.key === key));
    if (verdict === undefined)
      return this.#keep(key, 'a change replaces it, but nothing proves that it is of this lake');
    if (!(await this.#stands(verdict))) {
      return this.#keep(key, `what replaces it is not there: ${verdict.change.adds[0]!.key}`);
    }
    const file = present(verdict.replaced.find((one) => one.key === key));
    const fault =
      (await this.#contentFault(file)) ?? (await this.#writerFault(file, [LAKE_WRITER, COMPACT_WRITER]));
    return fault === undefined ? this.#remove(key) : fault === 'gone' ? false : this.#keep(key, fault);
  }

  /** Removes the leftover of an interrupted compaction. False: it is kept, or already gone. */
  async abandoned(key: string, bytes: number): Promise<boolean> {
    const folders = new Set([...this.#listed.keys()].map((one) => dirname(one)));
    if (this.#isAdded(key)) return this.#keep(key, 'it is declared abandoned, but a change adds it');
    if (!isCompacted(this.#form, key) || !folders.has(dirname(key)) || this.#listed.has(key)) {
      return this.#keep(key, 'it is declared abandoned, but no compaction of this lake can have made it');
    }
    const fault = await this.#writerFault({ key, bytes }, [COMPACT_WRITER]);
    return fault === undefined ? this.#remove(key) : fault === 'gone' ? false : this.#keep(key, fault);
  }

  #isAdded(key: string): boolean {
    return this.#verdicts.some(
      ({ change, fault }) => fault === undefined && change.adds.some((file) => file.key === key),
    );
  }

  /** Whether the rows of a step are in the store: in its new file, or in one that replaced that. */
  #stands(verdict: ChangeVerdict): Promise<boolean> {
    let known = this.#standing.get(verdict);
    if (known === undefined) this.#standing.set(verdict, (known = this.#look(verdict)));
    return known;
  }

  async #look(verdict: ChangeVerdict): Promise<boolean> {
    const made = verdict.change.adds[0];
    if (made === undefined) return false;
    if ((await this.#contentFault(made)) === undefined) return true;
    const at = this.#verdicts.indexOf(verdict);
    const next = this.#verdicts
      .slice(at + 1)
      .find(({ change, fault }) => fault === undefined && change.replaces.includes(made.key));
    return next !== undefined && this.#stands(next);
  }

  /** `gone`: there is no such object. */
  async #contentFault({ key, bytes, sha256, crc32 }: LakeFile): Promise<string | undefined> {
    const { store, signal } = this.#ports;
    try {
      await store.verify(key, { bytes, sha256, crc32 }, { signal });
      return undefined;
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) return 'gone';
      if (isHoldfastError(error, 'OBJECT_CORRUPT'))
        return `it is not what was listed: ${describeError(error)}`;
      throw error;
    }
  }

  async #writerFault(
    { key, bytes }: Pick<LakeFile, 'key' | 'bytes'>,
    writers: readonly string[],
  ): Promise<string | undefined> {
    const { store, signal } = this.#ports;
    try {
      const footer = await footerOf({ key, readable: storeReadable(store, key, bytes, { signal }) });
      const writer = String(footer.created_by);
      return writers.includes(writer) ? undefined : `it was written by ${writer.slice(0, 80)}`;
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_CORRUPT')) throw error;
      return isHoldfastError(error.cause, 'OBJECT_MISSING') ? 'gone' : describeError(error);
    }
  }

  async #remove(key: string): Promise<true> {
    await this.#ports.store.delete(key, { signal: this.#ports.signal });
    return true;
  }

  #keep(where: string, reason: string): false {
    this.#ports.onProblem({ where, reason: `kept: ${reason}` });
    return false;
  }
}
