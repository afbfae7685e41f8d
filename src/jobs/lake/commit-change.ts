import type { Clock } from '../../core/clock.js';
import { isHoldfastError } from '../../core/errors.js';
import { encodeLake, lakeChangeKey, type LakeChange } from '../../core/lake-manifest.js';
import type { Store } from '../../core/store.js';
import { readChanges } from './lake-state.js';

/** Swaps lost to other processes that change the lake at the same time. */
const RACES_MAX = 32;

/** What a step says, without its place in the history. */
export type NewChange = Omit<LakeChange, 'format' | 'version' | 'form' | 'number' | 'at'>;

/** What writing a step needs. */
export interface CommitPorts {
  readonly store: Store;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Writes the next step of the history of a lake; reads it again whenever another process had the number. Undefined:
 * another step replaced or abandoned one of its files meanwhile, or it says nothing; nothing is changed.
 */
export async function commitChange(
  form: string,
  change: NewChange,
  { store, clock, signal }: CommitPorts,
): Promise<LakeChange | undefined> {
  for (let race = 0; race < RACES_MAX; race++) {
    const changes = await readChanges(store, form, signal);
    const gone = new Set(changes.flatMap(({ abandons, replaces }) => [...abandons, ...replaces]));
    const added = new Set(changes.flatMap(({ adds }) => adds.map(({ key }) => key)));
    if ([...change.replaces, ...change.adds.map(({ key }) => key)].some((key) => gone.has(key)))
      return undefined;
    const abandons = change.abandons.filter((key) => !added.has(key));
    if (change.adds.length === 0 && abandons.length === 0 && change.removed === undefined) return undefined;
    const number = (changes.at(-1)?.number ?? 0) + 1;
    const next: LakeChange = {
      format: 'holdfast-lake-change',
      version: 1,
      form,
      number,
      at: String(clock.now()),
      ...change,
      abandons,
    };
    const key = lakeChangeKey(form, number);
    const data = Buffer.from(encodeLake(next));
    if (!store.supports.conditionalPut && (await store.head(key, { signal }))) continue;
    try {
      await store.put(key, data, { signal, ifAbsent: store.supports.conditionalPut });
      return next;
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS') && !isHoldfastError(error, 'OBJECT_CONFLICT')) throw error;
    }
  }
  return undefined;
}
