/** Asked of the kernel, which gives at most net.core.rmem_max. */
const RECEIVE_BUFFER = '8MB';

/**
 * CYCLONEDDS_URI with a larger receive buffer, or undefined where it is to stay as it is: with another
 * middleware, or where the configuration says something about that buffer itself. Cyclone asks for 1 MB by
 * default, which one image fills; what does not fit is lost, of best-effort publishers for good. It never refuses to start
 * because the kernel gives less.
 */
export function withReceiveBuffer(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
): string | undefined {
  if (env.RMW_IMPLEMENTATION !== 'rmw_cyclonedds_cpp') return undefined;
  const given = env.CYCLONEDDS_URI?.trim() ?? '';
  for (const [, path = ''] of given.matchAll(/(?:^|,)\s*(?:file:\/\/)?([^<,]+?)\s*(?=,|$)/g)) {
    try {
      if (readFile(path).includes('SocketReceiveBufferSize')) return undefined;
    } catch {
      // Cyclone will say what it makes of it.
    }
  }
  if (given.includes('SocketReceiveBufferSize')) return undefined;
  const ours = `<CycloneDDS><Domain id="any"><Internal><SocketReceiveBufferSize max="${RECEIVE_BUFFER}"/></Internal></Domain></CycloneDDS>`;
  return given === '' ? ours : `${given},${ours}`;
}
