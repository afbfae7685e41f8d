// Runs the CLI of a checkout, building it first if a source changed.
import { build } from './build.mjs';

build();
await import('../dist/src/app/main.js');
