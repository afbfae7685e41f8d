import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { present } from '../src/core/present.js';
import { packageRoot } from '../src/host/version.js';

const source = join(packageRoot, 'src');
const layers = JSON.parse(readFileSync(join(packageRoot, 'layers.json'), 'utf8')) as Record<string, string[]>;

/** Imports of a file, static and dynamic. */
const IMPORT = /(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g;

/** ROS is not everywhere, and importing its client where it is not compiles for minutes. */
const ROS_FOLDERS = [join('sources', 'ros'), join('monitors', 'ros'), 'app'];

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

const imports: Import[] = filesBelow(source).flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(IMPORT)].map((match) => ({ file, specifier: match[1]! })),
);

/** The longest folder of the table that holds a file. */
function layerOf(path: string): string {
  const inside = relative(source, path);
  const holders = Object.keys(layers).filter((name) => inside.startsWith(join(name, sep)));
  return holders.sort((a, b) => b.length - a.length)[0] ?? '';
}

interface Link {
  readonly from: string;
  readonly to: string;
}

/** Imports between files of the source. */
const links: Link[] = imports
  .filter(({ specifier }) => specifier.startsWith('.'))
  .map(({ file, specifier }) => ({
    from: file,
    to: resolve(dirname(file), specifier).replace(/\.js$/, '.ts'),
  }));

/** The two rooms a link joins: what differs first in the paths of its ends, a folder or a file. */
function roomsOf({ from, to }: Link): Link {
  const [a, b] = [from.split(sep), to.split(sep)];
  const shared = a.findIndex((part, index) => part !== b[index]);
  return { from: a.slice(0, shared + 1).join(sep), to: b.slice(0, shared + 1).join(sep) };
}

/** Groups of names that reach each other (Tarjan's strongly connected components with more than one member). */
function circles(among: readonly Link[]): string[][] {
  const next = new Map<string, Set<string>>();
  for (const { from, to } of among) if (from !== to) next.set(from, (next.get(from) ?? new Set()).add(to));
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (name: string): number => {
    order.set(name, order.size);
    lowest.set(name, present(order.get(name)));
    stack.push(name);
    for (const to of next.get(name) ?? []) {
      if (!order.has(to)) lowest.set(name, Math.min(present(lowest.get(name)), visit(to)));
      else if (stack.includes(to))
        lowest.set(name, Math.min(present(lowest.get(name)), present(order.get(to))));
    }
    if (lowest.get(name) === order.get(name)) {
      const group = stack.splice(stack.indexOf(name));
      if (group.length > 1) found.push(group.map((path) => relative(source, path)).sort());
    }
    return present(lowest.get(name));
  };
  for (const name of next.keys()) if (!order.has(name)) visit(name);
  return found;
}

describe('the architecture', () => {
  it('gives every file a layer of the table', () => {
    const strangers = filesBelow(source).filter((file) => layers[layerOf(file)] === undefined);
    assert.deepEqual(strangers, []);
  });

  it('has a table without circles', () => {
    const visit = (layer: string, path: readonly string[]): void => {
      assert.ok(!path.includes(layer), [...path, layer].join(' -> '));
      for (const lower of layers[layer]!) visit(lower, [...path, layer]);
    };
    for (const layer of Object.keys(layers)) visit(layer, []);
  });

  it('lets a layer import only what the table allows', () => {
    assert.ok(imports.length > 100, 'the imports were found');
    const wrong = imports.filter(({ file, specifier }) => {
      if (!specifier.startsWith('.')) return false;
      const to = layerOf(resolve(dirname(file), specifier));
      return to !== layerOf(file) && !layers[layerOf(file)]!.includes(to);
    });
    assert.deepEqual(wrong, []);
  });

  it('has a table as tight as the code', () => {
    const used = new Set(links.map(({ from, to }) => `${layerOf(from)} -> ${layerOf(to)}`));
    const allowed = Object.entries(layers).flatMap(([layer, lower]) =>
      lower.map((name) => `${layer} -> ${name}`),
    );
    assert.deepEqual(
      allowed.filter((link) => !used.has(link)),
      [],
    );
  });

  it('has no circle of folders', () => {
    assert.deepEqual(circles(links.map(roomsOf)), []);
  });

  it('has no circle of files', () => {
    assert.deepEqual(circles(links), []);
  });

  it('has no folder above 15 % of the source', () => {
    const lines = new Map<string, number>();
    let all = 0;
    for (const file of filesBelow(source)) {
      const count = readFileSync(file, 'utf8').split('\n').length - 1;
      const folder = relative(source, file).split(sep)[0]!;
      lines.set(folder, (lines.get(folder) ?? 0) + count);
      all += count;
    }
    const large = [...lines].filter(([, count]) => count > 0.15 * all);
    assert.deepEqual(large, []);
  });

  it('reaches the ROS client only from where ROS is expected, and there dynamically', () => {
    const wrong = imports.filter(({ file, specifier }) => {
      if (!/^rclnodejs(\/|$)/.test(specifier)) return false;
      const allowed = ROS_FOLDERS.some((folder) => relative(source, file).startsWith(folder + sep));
      const text = readFileSync(file, 'utf8');
      return !allowed || new RegExp(`^import (?!type).*['"]${specifier}['"]`, 'm').test(text);
    });
    assert.deepEqual(wrong, []);
  });
});

describe('package.json', () => {
  interface Package {
    readonly files: string[];
    readonly dependencies: Record<string, string>;
    readonly optionalDependencies: Record<string, string>;
    readonly peerDependencies: Record<string, string>;
    readonly devDependencies: Record<string, string>;
  }
  const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as Package;

  it('lists each file once', () => {
    assert.equal(new Set(manifest.files).size, manifest.files.length);
  });

  it('declares every package that is imported, for users what src imports', () => {
    const { dependencies, optionalDependencies, peerDependencies } = manifest;
    const shipped = { ...dependencies, ...optionalDependencies, ...peerDependencies };
    const known = { src: shipped, test: { ...shipped, ...manifest.devDependencies } };
    // tsx is loaded by threads that run from the sources, in a checkout.
    const PACKAGE =
      /(?:^(?:import|export|\})[^'"\n]*\sfrom\s+|^import\s+|\bimport\()['"](?!tsx\b)((?:@[\w-]+\/)?[\w-][\w.-]*)(?:\/[^'"]*)?['"]/gm;
    for (const folder of ['src', 'test', 'bench']) {
      const declared = folder === 'src' ? known.src : known.test;
      const missing = filesBelow(join(packageRoot, folder)).flatMap((file) =>
        [...readFileSync(file, 'utf8').matchAll(PACKAGE)]
          .map((match) => match[1]!)
          .filter((name) => !(name in declared) && !builtinModules.includes(name))
          .map((name) => `${relative(packageRoot, file)}: ${name}`),
      );
      assert.deepEqual(missing, []);
    }
  });
});

describe('the tests', () => {
  const own = [
    [/(?:function|const) eventually\b|function sleep\b/, 'src/testing/waiting.ts'],
    [/0x6d2b79f5|1_?664_?525|1_?103_?515_?245/i, 'Random of src/core/random.ts, seededBytes of src/testing'],
    [/\(\s*(\w+)\s*\)\s*=>\s*setTimeout\(\1\b/, 'sleep of src/testing/waiting.ts'],
    [/while \(![^;{]*\) await (?:\w+\.)?sleep\(/, 'eventually of src/testing/waiting.ts'],
    [/function freePorts?\(\)/, 'freePort of test/support/free-port.ts'],
  ] as const;
  const folders = ['test', 'bench'].map((name) => join(packageRoot, name));

  for (const [pattern, instead] of own) {
    it(`have no copy of their own of ${instead}`, () => {
      const copies = folders.flatMap(filesBelow).filter((file) => pattern.test(readFileSync(file, 'utf8')));
      const names = copies.map((file) => relative(packageRoot, file));
      assert.deepEqual(
        names.filter((name) => name !== 'test/architecture.test.ts'),
        [],
      );
    });
  }
});
