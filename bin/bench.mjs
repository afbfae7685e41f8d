// Builds if needed, then runs the benchmarks (bench/main.ts).
import { build } from './build.mjs';

build();
await import('../dist/bench/main.js');
