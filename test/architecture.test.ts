import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { packageRoot } from '../src/app/system/version.js';

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

function layerOf(path: string): string {
  return relative(source, path).split(sep)[0]!;
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
