import { hostname } from 'node:os';
import { runNode } from './node-process.js';
import { runRecorderNode } from './recorder-node.js';
import { robotOfNamespace } from './robot-name.js';

// Entrance of the node holdfast_recorder: node recorder-main.js --ros-args ...
await runNode({
  role: 'recorder',
  // As a node, it records the graph that it is in, for the robot of its namespace.
  defaults: (namespace) => ({ sources: ['ros:'], robot: robotOfNamespace(namespace) ?? hostname() }),
  run: runRecorderNode,
});
