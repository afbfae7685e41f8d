import { datagramSchema } from '../../sources/udp/v2v-schema.js';
import { renderCliDoc } from './render-cli-doc.js';
import { renderConfig } from './render-config.js';
import { renderErrorsDoc } from './render-errors-doc.js';
import { renderMan } from './render-man.js';
import { renderParametersDoc } from './render-parameters-doc.js';
import { renderStatusDoc } from './render-status-doc.js';

/** Every file that is generated from the code: path from the package's root, and content. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['config/holdfast.yaml', renderConfig()],
    ['docs/cli.md', renderCliDoc()],
    ['man/holdfast.1', renderMan()],
    ['docs/parameters.md', renderParametersDoc()],
    ['docs/errors.md', renderErrorsDoc()],
    ['docs/status.md', renderStatusDoc()],
    ['docs/v2v-datagram.schema.json', `${JSON.stringify(datagramSchema, undefined, 2)}\n`],
  ]);
}
