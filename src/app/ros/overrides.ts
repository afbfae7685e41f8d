/** Parameters of one section of the ROS arguments, from rcl's parser. */
export interface NativeOverrides {
  /** As written: `/**`, `holdfast_recorder`, `/robot_1/*`, ... */
  readonly name: string;
  /** `value` is absent for an empty list or nothing. */
  readonly parameters: readonly { readonly name: string; readonly value?: unknown }[];
}

/**
 * The parameters in the ROS arguments (`--params-file`, `-p`) for one node, by the rules of rcl and rclcpp. A
 * section applies if its name, with `/*` for one step and `/**` for any number of them, is the node's fully
 * qualified name after remapping. The sections apply in the order in which their names first appear, and a
 * later one overrides an earlier one. rclnodejs supports only `/**` and the bare name of a node, so values of
 * a launch file for a node in a namespace would be lost.
 */
export function resolveOverrides(
  sections: readonly NativeOverrides[],
  fullName: string,
): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  for (const { name, parameters } of sections) {
    if (!matchesNode(name, fullName)) continue;
    // An empty list arrives without a value: it means "none", which differs from a missing parameter.
    for (const parameter of parameters) values.set(parameter.name, plain(parameter.value) ?? []);
  }
  return values;
}

/** Whether a section's name matches the node with this fully qualified name. */
export function matchesNode(section: string, fullName: string): boolean {
  const pattern = section.startsWith('/') ? section : `/${section}`;
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('/*', '(/\\w+)');
  try {
    return new RegExp(`^${escaped}$`).test(fullName);
  } catch {
    return false; // not a name
  }
}

/** Large integers arrive as `bigint`, lists as typed arrays. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array, plain);
  return Array.isArray(value) ? value.map(plain) : value;
}
