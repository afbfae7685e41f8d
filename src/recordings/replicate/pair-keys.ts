import { HoldfastError } from '../../core/errors.js';
import type { CallOptions, ObjectInfo, Store } from '../../core/store.js';

/** One key in two stores; absent where no object has it. */
export interface KeyPair {
  readonly key: string;
  readonly source?: ObjectInfo;
  readonly target?: ObjectInfo;
}

/**
 * The keys of two stores side by side, in byte order. Holds one object of each listing, so any number of
 * objects fits. Throws `STORE_REJECTED` if a store does not list in this order.
 */
export async function* pairKeys(
  source: Store,
  target: Store,
  prefix: string,
  options: CallOptions,
): AsyncGenerator<KeyPair> {
  const [left, right] = [ordered(source, prefix, options), ordered(target, prefix, options)];
  try {
    let [one, other] = [await next(left), await next(right)];
    while (one ?? other) {
      const order = compareHeads(one, other);
      const [from, to] = [order <= 0 ? one : undefined, order >= 0 ? other : undefined];
      const key = (from ?? to)?.key ?? '';
      yield { key, ...(from && { source: from }), ...(to && { target: to }) };
      if (from) one = await next(left);
      if (to) other = await next(right);
    }
  } finally {
    await left.return(undefined);
    await right.return(undefined);
  }
}

async function next(list: AsyncGenerator<ObjectInfo, void>): Promise<ObjectInfo | undefined> {
  const step = await list.next();
  return step.done === true ? undefined : step.value;
}

/** The end of a listing comes after every key. */
function compareHeads(one: ObjectInfo | undefined, other: ObjectInfo | undefined): number {
  if (!one) return 1;
  return other ? compareKeys(one.key, other.key) : -1;
}

function compareKeys(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

async function* ordered(
  store: Store,
  prefix: string,
  options: CallOptions,
): AsyncGenerator<ObjectInfo, void> {
  let last: string | undefined;
  for await (const info of store.list(prefix, options)) {
    if (last !== undefined && compareKeys(last, info.key) >= 0) {
      const facts = { uri: store.uri, key: info.key, last };
      throw new HoldfastError('STORE_REJECTED', `${store.uri} lists ${info.key} after ${last}`, { facts });
    }
    last = info.key;
    yield info;
  }
}
