import { join } from 'node:path';
import { describeError, HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { present } from '../../core/present.js';
import type { ReportAssets } from '../../exporters/report/render-report.js';
import { packageRoot } from '../../host/version.js';

/** Style and script of the page as the build made them. */
export async function reportAssets(
  fs: FileSystem,
  folder: string = join(packageRoot, 'dist', 'web'),
): Promise<ReportAssets> {
  try {
    const [css, script] = await Promise.all(
      ['report.css', 'report.js'].map((name) => fs.readFile(join(folder, name), 'utf8')),
    );
    return { css: present(css), script: present(script) };
  } catch (cause) {
    throw new HoldfastError(
      'SOURCE_UNREADABLE',
      `the style of the report is missing from this installation (npm run build makes it): ${describeError(cause)}`,
      { cause, facts: { path: folder } },
    );
  }
}
