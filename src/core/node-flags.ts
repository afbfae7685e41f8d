/**
 * The flags of Node.js with which Holdfast is started where it is installed: a young generation of 4 MB per half, and
 * an old one of 64 MB before full collections begin (docs/decisions.md). The first line of app/main.ts and
 * cmake/wrapper.sh.in repeat them.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=4', '--initial-old-space-size=64'];

/**
 * Further flags of a process with `profile: small`; the later one of two flags holds. Without a second compiler for
 * WebAssembly (zstd), the peak is 5 MB lower.
 */
export const smallNodeFlags: readonly string[] = [
  '--max-semi-space-size=1',
  '--initial-old-space-size=8',
  '--liftoff-only',
];

/**
 * Its environment: one arena, and freed memory goes back to the system at once. glibc reads it only at the start. The
 * last two names end with an underscore.
 */
export const smallEnvironment: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
};
