/** Requested from the kernel, which grants at most net.core.rmem_max. */
const RECEIVE_BUFFER = '8MB';

/**
 * CYCLONEDDS_URI with a larger receive buffer. Undefined if it must stay as it is: with another middleware,
 * or if the configuration already sets that buffer. Cyclone requests 1 MB by default, which one image fills.
 * Messages that do not fit are lost, for good if the publisher is best-effort. Cyclone never refuses to start
 * because the kernel grants less.
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
      // Cyclone will report how it reads the text.
    }
  }
  if (given.includes('SocketReceiveBufferSize')) return undefined;
  const ours = `<CycloneDDS><Domain id="any"><Internal><SocketReceiveBufferSize max="${RECEIVE_BUFFER}"/></Internal></Domain></CycloneDDS>`;
  return given === '' ? ours : `${given},${ours}`;
}
