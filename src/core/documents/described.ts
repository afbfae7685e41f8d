/*
 * Schemas from which the TypeScript type follows: one description for the compiler, the OpenAPI document, the ROS
 * messages and the tables of the documentation.
 */

declare const described: unique symbol;

/** A JSON Schema of values of type `T`. */
export type Schema<T> = Readonly<Record<string, unknown>> & { readonly [described]?: T };

/** The type that a schema describes. */
export type Described<S> = S extends { readonly [described]?: infer T } ? Exclude<T, undefined> : never;

type Members = Readonly<Record<string, Schema<unknown>>>;
type Flat<T> = { readonly [K in keyof T]: T[K] };
const noMembers = {};

type ObjectOf<R extends Members, O extends Members> = Flat<
  { readonly [K in keyof R]: Described<R[K]> } & { readonly [K in keyof O]?: Described<O[K]> }
>;

/** Keyword of the fields of a ROS message that a member is published in, as in a .msg file: `uint64 received`. */
export const ROS_FIELDS = 'x-ros-fields';
/** Keyword of what such a field holds while the member is absent; without it: 0, empty, false. */
export const ROS_ABSENT = 'x-ros-absent';

const make = <T>(schema: Readonly<Record<string, unknown>>, description?: string): Schema<T> =>
  description === undefined ? schema : { ...schema, description };

export const text = (description?: string): Schema<string> => make({ type: 'string' }, description);
/** A whole number from 0. */
export const count = (description?: string): Schema<number> =>
  make({ type: 'integer', minimum: 0 }, description);
export const number = (description?: string): Schema<number> => make({ type: 'number' }, description);
export const flag = (description?: string): Schema<boolean> => make({ type: 'boolean' }, description);
/** A time as text: decimal nanoseconds since the Unix epoch. */
export const timeNs = (description = 'decimal nanoseconds since the Unix epoch'): Schema<string> =>
  make({ type: 'string', pattern: '^[0-9]+$' }, description);

export const constant = <const T extends string>(value: T): Schema<T> => make({ const: value });

export const oneOf = <const T extends readonly string[]>(
  values: T,
  description?: string,
): Schema<T[number]> => make({ type: 'string', enum: values }, description);

export const list = <T>(items: Schema<T>, description?: string): Schema<readonly T[]> =>
  make({ type: 'array', items }, description);

/** Counts by a name that need not be known beforehand. */
export const countsBy = <K extends string>(
  description?: string,
): Schema<Readonly<Partial<Record<K, number>>>> =>
  make({ type: 'object', additionalProperties: { type: 'integer', minimum: 0 } }, description);

/** Texts by a name that need not be known beforehand. */
export const textsBy = (description?: string): Schema<Readonly<Record<string, string>>> =>
  make({ type: 'object', additionalProperties: { type: 'string' } }, description);

/** An object with these members and no others. */
export const object = <R extends Members, O extends Members = typeof noMembers>(
  required: R,
  optional?: O,
  description?: string,
): Schema<ObjectOf<R, O>> =>
  make(
    {
      type: 'object',
      properties: { ...required, ...(optional ?? noMembers) },
      required: Object.keys(required),
      additionalProperties: false,
    },
    description,
  );

/** The same member, published in these fields of its ROS message. */
export const ros = <T>(schema: Schema<T>, ...fields: readonly string[]): Schema<T> => ({
  ...schema,
  [ROS_FIELDS]: fields,
});

/** As `ros`; while the member is absent, the field is -1: 0 would be a value. */
export const rosOrUnknown = (schema: Schema<number>, ...fields: readonly string[]): Schema<number> => ({
  ...ros(schema, ...fields),
  [ROS_ABSENT]: -1,
});

/** As `ros`; while the member is absent, the field is true. */
export const rosOrTrue = (schema: Schema<boolean>, ...fields: readonly string[]): Schema<boolean> => ({
  ...ros(schema, ...fields),
  [ROS_ABSENT]: true,
});
