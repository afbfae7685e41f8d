import { createHash } from 'node:crypto';
import { extname, join, relative } from 'node:path';
import { describeError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import { DESCRIPTOR_NAME_FORM, parseDescriptorName } from '../../exporters/payloads/descriptor-name.js';
import { PayloadCatalogue, type Descriptor } from '../../exporters/payloads/payload-catalogue.js';
import { readDescriptor } from '../../exporters/payloads/read-descriptor.js';
import { configInvalid, type ConfigFault } from '../../settings/fault.js';

const MAX_FILES = 2_000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_BYTES = 256 * 1024 * 1024;
/** Endings of files that look like descriptors. */
const KNOWN_ENDINGS = new Set(['.proto', '.binpb', '.protoset', '.desc', '.pb', '.bfbs']);

type Files = ReadonlyMap<string, Buffer>;

/**
 * A folder of descriptors for the payloads of events. Files of the folder itself are descriptors; files in
 * folders below are only for imports. A folder that changes is read again with the next segment.
 */
export class DescriptorFolder {
  readonly #fs: FileSystem;
  readonly #folder: string;
  readonly #logger: Logger | undefined;
  readonly #where: string;
  #state = '';
  #catalogue: PayloadCatalogue | undefined;

  /** @param where the setting that faults are reported for */
  constructor(fs: FileSystem, folder: string, logger?: Logger, where = 'sinks') {
    this.#fs = fs;
    this.#folder = folder;
    this.#logger = logger;
    this.#where = where;
  }

  /** Reads the folder. Throws `CONFIG_INVALID` with all its faults. */
  async open(): Promise<PayloadCatalogue> {
    const faults: ConfigFault[] = [];
    const fault = (path: string, allowed: string): void => {
      faults.push({ where: this.#where, path, value: undefined, allowed });
    };
    let catalogue = new PayloadCatalogue([]);
    try {
      this.#state = await this.#stateOf();
      catalogue = new PayloadCatalogue(
        readAll(await this.#files(), (file, why) => fault(join(this.#folder, file), why)),
      );
    } catch (error) {
      fault(this.#folder, `${describeError(error)}; allowed: a folder with files ${DESCRIPTOR_NAME_FORM}`);
    }
    if (faults.length > 0) throw configInvalid(faults);
    this.#catalogue = catalogue;
    return catalogue;
  }

  /** The present state of the folder; if that cannot be read, the previous one, and the error is logged. */
  async current(): Promise<PayloadCatalogue> {
    const before = this.#catalogue;
    if (before === undefined) return this.open();
    const known = this.#state;
    try {
      if ((await this.#stateOf()) === known) return before;
      const catalogue = await this.open();
      this.#logger?.info('the descriptors of payloads have changed', { folder: this.#folder });
      return catalogue;
    } catch (error) {
      this.#logger?.warn('descriptors cannot be used, those read before still are', { error });
      return before;
    }
  }

  async #stateOf(): Promise<string> {
    const found: unknown[] = [];
    for (const name of await this.#names()) {
      const { size, mtimeMs } = await this.#fs.stat(join(this.#folder, name));
      found.push([name, size, mtimeMs]);
    }
    return JSON.stringify(found);
  }

  async #names(): Promise<string[]> {
    const entries = await this.#fs.readdir(this.#folder, { withFileTypes: true, recursive: true });
    const names = entries
      .filter((entry) => entry.isFile() && [...KNOWN_ENDINGS, '.fbs'].includes(extname(entry.name)))
      .map((entry) => relative(this.#folder, join(entry.parentPath, entry.name)));
    if (names.length > MAX_FILES) throw new Error(`it has ${names.length} files, allowed: ${MAX_FILES}`);
    return names.sort();
  }

  async #files(): Promise<Files> {
    const files = new Map<string, Buffer>();
    let bytes = 0;
    for (const name of await this.#names()) {
      const { size } = await this.#fs.stat(join(this.#folder, name));
      if (size > MAX_FILE_BYTES || (bytes += size) > MAX_BYTES) {
        throw new Error(`${name} is too large, allowed: ${MAX_FILE_BYTES} bytes, and ${MAX_BYTES} of all`);
      }
      files.set(name, await this.#fs.readFile(join(this.#folder, name)));
    }
    return files;
  }
}

function readAll(files: Files, fault: (file: string, why: string) => void): Descriptor[] {
  const descriptors: Descriptor[] = [];
  const imports = new Set<string>();
  const failed = new Map<string, string>();
  const taken = new Map<string, string>();
  for (const [file, bytes] of files) {
    if (file.includes('/')) continue;
    if (extname(file) === '.fbs') {
      if (!files.has(file.replace(/fbs$/, 'bfbs'))) {
        fault(
          file,
          `is a source; allowed: the binary schema that "flatc --binary --schema ${file}" makes of it`,
        );
      }
      continue;
    }
    const name = parseDescriptorName(file);
    if (name === undefined) {
      fault(file, `is not a name of a descriptor; allowed: ${DESCRIPTOR_NAME_FORM}`);
      continue;
    }
    try {
      const decoder = readDescriptor(name, bytes, (path) => {
        imports.add(path);
        return files.get(path)?.toString('utf8');
      });
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      descriptors.push({ name, file, sha256, decoder });
    } catch (error) {
      failed.set(file, error instanceof Error ? error.message : String(error));
      continue;
    }
    const key = JSON.stringify([name.format, name.type, name.version]);
    const twin = taken.get(key);
    if (twin !== undefined) fault(file, `is of the same type and version as ${twin}; allowed: one of them`);
    taken.set(key, file);
  }
  // An imported file need not have a message of its own.
  for (const [file, why] of failed) if (!imports.has(file)) fault(file, `cannot be used: ${why}`);
  return descriptors;
}
