/** Parameters of one section of the ROS arguments, as rcl's parser gives them. */
export interface NativeOverrides {
  /** As written: `/**`, `holdfast_recorder`, `/robot_1/*`, ... */
  readonly name: string;
  /** `value` is absent for an empty list or nothing. */
  readonly parameters: readonly { readonly name: string; readonly value?: unknown }[];
}

/**
 * What the ROS arguments (`--params-file`, `-p`) say for one node, by the rules of rcl and rclcpp: a section
 * counts when its name, with `/*` for one step and `/**` for any number of them, is the node's fully
 * qualified name after remapping; the sections come in the order in which their names were mentioned first,
 * and a later one wins. rclnodejs itself knows only `/**` and the bare name of a node, so that what a launch
 * file gives a node in a namespace would be lost.
 */
export function resolveOverrides(
  sections: readonly NativeOverrides[],
  fullName: string,
): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  for (const { name, parameters } of sections) {
    if (!matchesNode(name, fullName)) continue;
    // An empty list arrives without a value: it says "none", which is not the same as saying nothing.
    for (const parameter of parameters) values.set(parameter.name, plain(parameter.value) ?? []);
  }
  return values;
}

/** Whether a section's name means the node of this fully qualified name. */
export function matchesNode(section: string, fullName: string): boolean {
  const pattern = section.startsWith('/') ? section : `/${section}`;
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('/*', '(/\\w+)');
  try {
    return new RegExp(`^${escaped}$`).test(fullName);
  } catch {
    return false; // not a name of anything
  }
}

/** Integers arrive as `bigint` where they are large, lists as typed arrays. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array, plain);
  return Array.isArray(value) ? value.map(plain) : value;
}
