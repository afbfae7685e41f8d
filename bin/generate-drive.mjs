// Writes the drive that comes with the product, config/drives/commute.csv (docs/drive-log.md), from the simulator.
// The same on every machine: a test compares.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

build();
const { driveAsCsv } = await import('../dist/src/simulation/road-drive.js');
const path = fileURLToPath(new URL('../config/drives/commute.csv', import.meta.url));
writeFileSync(path, [...driveAsCsv(1)].join(''));
console.log(`written: ${path}`);
