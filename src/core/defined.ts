type UndefinedKeys<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];

/** `T` with each member that may be undefined made optional instead. */
export type Defined<T> = Omit<T, UndefinedKeys<T>> & {
  [K in UndefinedKeys<T>]?: Exclude<T[K], undefined>;
};

/**
 * The members of an object that have a value. With `exactOptionalPropertyTypes` an optional property must be
 * absent, not undefined; `{ ...defined({ a, b }) }` builds such an object without a condition for each property.
 *
 * @example
 * defined({ robot: 'r1', label: undefined }); // { robot: 'r1' }
 */
export function defined<T extends object>(members: T): Defined<T> {
  const present = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Defined<T>;
}
