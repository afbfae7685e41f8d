import type { Source } from '../../core/source.js';
import type { SourceUri } from '../source-uri.js';
export function createFoxgloveSource(_uri: SourceUri): Source { throw new Error('soon'); }
