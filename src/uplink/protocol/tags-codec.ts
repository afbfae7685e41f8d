import type { Writer } from 'protobufjs/minimal.js';
import { LENGTH_DELIMITED } from '../../core/protobuf-wire.js';
import { isTag, TAG_FORM, type TagChanges } from '../../core/tags.js';
import { readFields, utf8, WireFault, type FieldReaders } from './read-fields.js';
import { nested, string } from './write-telemetry.js';

/** Writes a `map<string, string>` of tags. */
export function writeTags(writer: Writer, number: number, tags: TagChanges): void {
  for (const [name, value] of Object.entries(tags))
    nested(writer, number, () => {
      string(writer, 1, name);
      string(writer, 2, value);
    });
}

/** Reads the entries of such a map into `tags`. Throws for more than `most`, and for what is no tag. */
export function tagsReader(tags: Map<string, string>, most: number): FieldReaders[number] {
  return [
    LENGTH_DELIMITED,
    (reader) => {
      let [name, value] = ['', ''];
      readFields(reader.bytes(), {
        1: [LENGTH_DELIMITED, (entry) => (name = utf8(entry))],
        2: [LENGTH_DELIMITED, (entry) => (value = utf8(entry))],
      });
      if (!isTag(name, value))
        throw new WireFault(`a name and value that are not a tag, allowed: ${TAG_FORM}`);
      tags.set(name, value);
      if (tags.size > most) throw new WireFault(`more than ${most} tags`);
    },
  ];
}
