/** Flags of Node.js for a process whose wall clock is ahead by some milliseconds; negative: behind. */
export function clockFlags(aheadMs: number): readonly string[] {
  const program = `const now = Date.now; Date.now = () => now() + ${aheadMs};`;
  return ['--import', `data:text/javascript,${encodeURIComponent(program)}`];
}
