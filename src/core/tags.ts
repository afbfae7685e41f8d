/** Tags of a recording by name: mission, operator, site, task, anything. They describe what holds at a time. */
export type Tags = Readonly<Record<string, string>>;

/** Changes of tags: a value sets the tag, an empty one removes it. */
export type TagChanges = Readonly<Record<string, string>>;

/** Maximum number of tags that hold at the same time. */
export const TAGS_MAX = 32;
/** Maximum number of tags that one request changes: every tag that holds goes, and as many come. */
export const TAG_CHANGES_MAX = 2 * TAGS_MAX;
/** Maximum length of a value, characters. */
export const TAG_VALUE_MAX = 200;
/** Lower case: a search then finds a tag whatever keyboard it was typed on. */
export const TAG_NAME = /^[a-z][a-z0-9_.-]{0,39}$/;
/** A value stands in one line, and is text in every encoding. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u;

export const TAG_FORM =
  `name=value: a name of 1 to 40 characters from a-z, 0-9, _, . and - that begins with a letter, and a ` +
  `value of at most ${TAG_VALUE_MAX} characters without control characters`;

/** Whether a name and a value may be a tag; an empty value removes one. */
export function isTag(name: string, value: unknown): value is string {
  return (
    TAG_NAME.test(name) && typeof value === 'string' && value.length <= TAG_VALUE_MAX && !CONTROL.test(value)
  );
}

/** `mission=dock 3`; undefined if it is not one. */
export function parseTag(text: string): readonly [name: string, value: string] | undefined {
  const at = text.indexOf('=');
  if (at < 1) return undefined;
  const [name, value] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  return isTag(name, value) ? [name, value] : undefined;
}

/** Changes as text: one `name=value` per line, or with semicolons between them. A part without `=` has no value. */
export function parseTagLines(text: string): TagChanges {
  const parts = text
    .split(/[\n;]/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return Object.fromEntries(
    parts.map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [part, ''] : [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    }),
  );
}

/** The tags after the changes, by name. */
export function changedTags(tags: Tags, changes: TagChanges): Tags {
  const all = Object.entries({ ...tags, ...changes }).filter(([, value]) => value !== '');
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `mission=dock 3, site=north`, for people. */
export function describeTags(tags: Tags): string {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}
