/** The robot a node in this namespace belongs to: `robot_1` for `/robot_1`; `undefined` in no namespace. */
export function robotOfNamespace(namespace: string): string | undefined {
  const name = namespace.replace(/^\/+|\/+$/g, '');
  return name === '' ? undefined : name;
}
