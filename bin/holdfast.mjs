// Runs the CLI of a checkout, building it first if a source changed.
import './require-node.mjs';

// Imported after that check: an old Node.js could not parse them.
import('./run-checkout.mjs');
