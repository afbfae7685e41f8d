// Line coverage of the tests, by layer, against the floors of coverage.json. Only the process of the tests is
// measured: what recorders and other child processes run does not count, nor does a file that nothing loads.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Prints the share of lines that ran, by top folder of src. Returns each folder below its floor as a failure
 * (title and error), so that the end of a log names it as it names a failed test.
 *
 * @param folder What V8 wrote (NODE_V8_COVERAGE).
 * @param isWhole All tests ran; the floors are not judged for a part of them.
 */
export function judgeCoverage(folder, isWhole) {
  const c8 = join(root, 'node_modules', 'c8', 'bin', 'c8.js');
  const output = join(folder, 'out');
  const options = ['--temp-directory', folder, '--reports-dir', output, '--reporter', 'json-summary'];
  const sources = ['--exclude-after-remap', '--src', 'src', '--include', 'src/**'];
  const report = spawnSync(process.execPath, [c8, 'report', ...options, ...sources], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (report.status !== 0) {
    console.log('\nline coverage: no report');
    return [{ title: 'line coverage', error: 'c8 made no report' }];
  }
  const summary = JSON.parse(readFileSync(join(output, 'coverage-summary.json'), 'utf8'));
  const floors = JSON.parse(readFileSync(join(root, 'coverage.json'), 'utf8'));
  console.log('\nline coverage by layer (floor)');
  const layers = byLayer(summary);
  const low = isWhole ? belowFloor(layers, floors) : [];
  for (const [layer, percent] of layers) {
    const floor = floors[layer] ?? 'none';
    console.log(`  ${layer.padEnd(12)} ${percent.toFixed(1).padStart(5)} % (${floor})`);
  }
  return low;
}

/** The layers whose lines ran less than their floor, or that have none, as failures. */
export function belowFloor(layers, floors) {
  return layers
    .filter(([layer, percent]) => !(percent >= floors[layer]))
    .map(([layer, percent]) => ({
      title: `line coverage of src/${layer}`,
      error:
        floors[layer] === undefined
          ? 'it has no floor in coverage.json'
          : `${percent.toFixed(1)} %, its floor in coverage.json is ${floors[layer]} %`,
    }));
}

/** Percent of the lines of each top folder, in order of their names. */
export function byLayer(summary) {
  const layers = new Map();
  for (const [path, { lines }] of Object.entries(summary)) {
    const [layer, file] = relative(join(root, 'src'), path).split('/');
    if (path === 'total' || file === undefined) continue;
    const { total, covered } = layers.get(layer) ?? { total: 0, covered: 0 };
    layers.set(layer, { total: total + lines.total, covered: covered + lines.covered });
  }
  return [...layers].sort().map(([layer, { total, covered }]) => [layer, (100 * covered) / total]);
}
