// Builds if needed, then runs the benchmarks (bench/main.ts), or with `ros` as the first word those against
// `ros2 bag record` (bench/ros/main.ts).
import './require-node.mjs';
import './end-with-parent.mjs';
import { build } from './build.mjs';

build();
const isRos = process.argv[2] === 'ros';
if (isRos) process.argv.splice(2, 1);
await import(isRos ? '../dist/bench/ros/main.js' : '../dist/bench/main.js');
