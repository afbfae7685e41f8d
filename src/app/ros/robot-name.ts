/** The robot a node in this namespace belongs to: its last part; `undefined` in no namespace. */
export function robotOfNamespace(namespace: string): string | undefined {
  const last = namespace.split('/').at(-1);
  return last === '' ? undefined : last;
}
