// Bundles the web page into dist/web, only when one of its sources is newer than the last build.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const web = join(root, 'web');

/** Newest change below a folder. */
function newestIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((newest, entry) => Math.max(newest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0);
}

/**
 * Builds if needed; returns whether a build ran. What it makes needs no further step and no other server:
 * page, one script, one style sheet, fonts.
 */
export function buildWeb(target = join(root, 'dist', 'web')) {
  const index = join(target, 'index.html');
  const newest = Math.max(
    newestIn(web),
    statSync(fileURLToPath(import.meta.url)).mtimeMs,
    // What page and report share.
    statSync(join(root, 'src', 'exporters', 'report', 'ticks.ts')).mtimeMs,
  );
  if (existsSync(index) && statSync(index).mtimeMs >= newest) return false;
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  buildPage(join(web, 'src', 'main.tsx'), join(web, 'styles', 'main.css'), target);
  buildReport(target);
  cpSync(join(web, 'icon.svg'), join(target, 'icon.svg'));
  cpSync(join(web, 'fonts', 'OFL.txt'), join(target, 'OFL.txt'));
  // Last: its age says that the build was finished.
  cpSync(join(web, 'index.html'), index);
  return true;
}

/** The pages of the ground, with the outlines of the map. Builds if needed; returns whether a build ran. */
export function buildGroundPages(target = join(root, 'dist', 'web-ground')) {
  const index = join(target, 'index.html');
  const newest = Math.max(newestIn(web), statSync(fileURLToPath(import.meta.url)).mtimeMs);
  if (existsSync(index) && statSync(index).mtimeMs >= newest) return false;
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  buildPage(join(web, 'src', 'ground', 'main.tsx'), join(web, 'styles', 'ground.css'), target);
  cpSync(join(root, 'node_modules', 'world-atlas', 'countries-50m.json'), join(target, 'world.json'));
  cpSync(join(web, 'icon.svg'), join(target, 'icon.svg'));
  cpSync(join(web, 'fonts', 'OFL.txt'), join(target, 'OFL.txt'));
  // Last: its age says that the build was finished.
  cpSync(join(web, 'ground.html'), index);
  return true;
}

/** One script and one style sheet. */
function buildPage(script, style, target) {
  buildSync({
    entryPoints: [
      { in: script, out: 'app' },
      { in: style, out: 'app' },
    ],
    outdir: target,
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['chrome111', 'firefox113', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    define: { 'process.env.NODE_ENV': '"production"' },
    loader: { '.woff2': 'file' },
    assetNames: '[name]-[hash]',
    legalComments: 'eof',
    logLevel: 'warning',
    absWorkingDir: root,
    tsconfig: join(web, 'tsconfig.json'),
  });
}

/** Style and script that `holdfast report` puts into its pages, fonts inside. Without a script dark comes by itself. */
function buildReport(target) {
  const tokens = readFileSync(join(web, 'styles', 'tokens.css'), 'utf8');
  const dark = /:root\[data-scheme='dark'\] (\{[^}]*\})/.exec(tokens);
  if (dark === null) throw new Error('tokens.css has no dark colours where the report looks for them');
  const common = {
    bundle: true,
    minify: true,
    target: ['chrome111', 'firefox113', 'safari16.4'],
    legalComments: 'none',
    logLevel: 'warning',
    absWorkingDir: root,
  };
  buildSync({
    ...common,
    stdin: {
      contents: `@import './report.css';\n@media screen and (prefers-color-scheme: dark) {:root${dark[1]}}`,
      resolveDir: join(web, 'styles'),
      loader: 'css',
    },
    outfile: join(target, 'report.css'),
    loader: { '.woff2': 'dataurl' },
  });
  buildSync({
    ...common,
    entryPoints: [join(web, 'src', 'report', 'main.ts')],
    outfile: join(target, 'report.js'),
    format: 'iife',
    tsconfig: join(web, 'tsconfig.json'),
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  buildWeb(process.argv[2]);
  buildGroundPages();
}
