// The health check of the images: ends with 0 if the process answers. The address can be the argument, such as
// http://127.0.0.1:8090/healthz for the ground; without one, it is that of a recorder.
const [address = process.env.HOLDFAST_HEALTH_URL ?? 'http://127.0.0.1:8088/healthz'] = process.argv.slice(2);
try {
  const { ok } = await fetch(address, { signal: AbortSignal.timeout(4_000) });
  process.exitCode = ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
