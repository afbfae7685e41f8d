import { runNode } from './node-process.js';
import { runSyncNode } from './sync-node.js';

// Entrance of the node holdfast_sync: node sync-main.js --ros-args ...
await runNode({ role: 'sync', defaults: () => ({}), run: runSyncNode });
