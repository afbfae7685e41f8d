import { endIfOrphaned } from './end-with-parent.mjs';
import { build } from './build.mjs';

build();
// A build blocks: npm may have gone meanwhile.
endIfOrphaned();
await import('../dist/src/app/main.js');
