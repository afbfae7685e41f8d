// Import this first: the process ends with one line when its Node.js is too old for Holdfast. It repeats
// src/host/node-floor.ts, which is not built yet when the scripts of a checkout start.
import { readFileSync } from 'fs';

const { engines, testedNode } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const [floorMajor, floorMinor] = engines.node.replace('>=', '').split('.').map(Number);
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < floorMajor || (major === floorMajor && minor < floorMinor)) {
  console.error(
    `holdfast: Node.js ${process.versions.node} (${process.execPath}) is too old; ` +
      `allowed: ${floorMajor}.${floorMinor} or newer, tried: ${testedNode.join(', ')}`,
  );
  process.exit(1);
}
