import { errorCatalogue } from '../../core/error-catalogue.js';
import { GENERATED_NOTE } from './markdown.js';

const intro = `# Errors

${GENERATED_NOTE}

Every error has a stable code, a message that names the thing, the value and what is allowed, and facts as
data (\`--json\` prints them). *Tried again* says whether the same call can succeed later without anyone
changing its input: those errors Holdfast retries by itself.
`;

/** The content of docs/errors.md. */
export function renderErrorsDoc(): string {
  const entries = Object.entries(errorCatalogue).map(
    ([code, entry]) =>
      `## ${code}\n\n${entry.meaning}\n\n- What to do: ${entry.remedy}\n- Tried again: ${entry.retryable ? 'yes' : 'no'}\n`,
  );
  return [intro, ...entries].join('\n');
}
