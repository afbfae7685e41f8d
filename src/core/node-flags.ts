/**
 * The flags of Node.js with which Holdfast is started where it is installed: a young generation of 4 MB per half, and
 * an old one of 64 MB before full collections begin (docs/decisions.md). The first line of app/main.ts and
 * cmake/wrapper.sh.in repeat them.
 */
export const nodeFlags: readonly string[] = ['--max-semi-space-size=4', '--initial-old-space-size=64'];
