import type { MessageFields } from '../../../recordings/quality/message-fields.js';
import { matches } from '../../../recordings/message-filter.js';
import type { SeenMessage, TopicCheck } from '../topic-check.js';

/** A field that is checked. */
export interface WatchedField {
  readonly name: string;
  readonly index: number;
  readonly listed: boolean;
}

/** A check of fields: finds the fields that match its patterns, and again if the type of the topic changes. */
export abstract class FieldCheck implements TopicCheck {
  #fields: MessageFields | undefined;
  #watched: readonly WatchedField[] = [];

  constructor(readonly patterns: readonly string[]) {}

  message({ fields, logTime }: SeenMessage): void {
    if (fields === undefined) return;
    if (fields !== this.#fields) {
      this.#fields = fields;
      this.#watched = fields.fields
        .map(({ name, listed, floating }, index) => ({ name, index, listed, floating }))
        .filter((field) => matches(this.patterns, field.name) && this.wants(field));
      this.changed(this.#watched);
    }
    if (this.#watched.length > 0) this.look(fields, this.#watched, logTime);
  }

  abstract end(until: bigint): void;

  protected wants(_field: { readonly listed: boolean; readonly floating: boolean }): boolean {
    return true;
  }

  /** The type is another one, so the earlier state is useless. */
  protected changed(_watched: readonly WatchedField[]): void {}

  protected abstract look(fields: MessageFields, watched: readonly WatchedField[], logTime: bigint): void;
}
