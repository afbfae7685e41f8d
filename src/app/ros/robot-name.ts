/** The robot of a node in this namespace: the last part of the namespace; `undefined` without one. */
export function robotOfNamespace(namespace: string): string | undefined {
  const last = namespace.split('/').at(-1);
  return last === '' ? undefined : last;
}
