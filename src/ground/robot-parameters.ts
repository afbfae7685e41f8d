import { documentKind } from '../core/documents/document.js';
import type { LiveParameter } from '../core/monitoring.js';
import { liveParameterSchema } from './ground-schemas.js';

const MAX_PARAMETERS = 200;

/** What a robot answers to `get_parameters`. */
export const parameterLists = documentKind<readonly LiveParameter[]>('list of parameters', {
  ...{ type: 'array', maxItems: MAX_PARAMETERS, items: liveParameterSchema },
});
