// Writes the drives that come with the product, config/drives (docs/drive-log.md), from the simulator.
// The same on every machine: a test compares.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

build();
const { driveAsCsv, driveOnRoad } = await import('../dist/src/simulation/road-drive.js');
const { driveElectric } = await import('../dist/src/simulation/electric-drive.js');
const drives = { 'commute.csv': driveOnRoad(1), 'electric.csv': driveElectric(1) };
for (const [name, rows] of Object.entries(drives)) {
  const path = fileURLToPath(new URL(`../config/drives/${name}`, import.meta.url));
  writeFileSync(path, [...driveAsCsv(rows)].join(''));
  console.log(`written: ${path}`);
}
