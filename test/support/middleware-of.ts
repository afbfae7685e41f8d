/** Names of middlewares, as `RMW_IMPLEMENTATION` takes them, by the suite that is defined for them. */
const suites = new WeakMap<object, string>();

/** Remembers that a suite runs on this middleware. */
export function setMiddleware(suite: object, middleware: string): void {
  suites.set(suite, middleware);
}

/** The middleware that a test, hook or suite runs on; undefined outside `onEveryMiddleware`. */
export function middlewareOf(
  runnable: { readonly parent?: object | undefined } | undefined,
): string | undefined {
  for (let one: object | undefined = runnable; one !== undefined; one = (one as { parent?: object }).parent) {
    const middleware = suites.get(one);
    if (middleware !== undefined) return middleware;
  }
  return undefined;
}
