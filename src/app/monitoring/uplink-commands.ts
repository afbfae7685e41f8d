import { describeTags } from '../../core/tags.js';
import { documentKind } from '../../core/documents/document.js';
import { HoldfastError } from '../../core/errors.js';
import type { MonitoredParameters, MonitoredRecorder, MonitoredSync } from '../../core/monitoring.js';
import type { RobotCommand } from '../../uplink/protocol/robot-command.js';
import type { Obeyed } from '../../uplink/robot/command-answerer.js';

export interface CommandParts {
  readonly recorder: Pick<MonitoredRecorder, 'markEvent' | 'split' | 'pause' | 'resume' | 'setTags'>;
  readonly sync: Pick<MonitoredSync, 'syncNow'>;
  /** Undefined: none can be set. */
  readonly parameters: MonitoredParameters | undefined;
}

/** Does what a ground asks, as the recorder's own API does. Resolves with what was done, in words. */
export async function doCommand(
  { name, label, beforeS, afterS, parameter = '', value = '', tags = {} }: RobotCommand,
  { recorder, sync, parameters }: CommandParts,
): Promise<string | Obeyed> {
  switch (name) {
    case 'mark_event': {
      const { id } = await recorder.markEvent({ label, beforeS, afterS });
      return `marked event ${id}`;
    }
    case 'split':
      await recorder.split();
      return 'the next segment is open';
    case 'sync_now':
      await sync.syncNow();
      return 'sync looks at once';
    case 'pause':
      recorder.pause();
      return 'recording is paused';
    case 'resume':
      recorder.resume();
      return 'recording continues';
    case 'set_parameter':
      some(parameters).set(parameter, parsed(parameter, value));
      return `${parameter} is ${value}`;
    case 'set_tags': {
      const all = await recorder.setTags(tags);
      const message = Object.keys(all).length === 0 ? 'no tag holds' : `the tags are ${describeTags(all)}`;
      return { message, result: JSON.stringify(all) };
    }
    case 'get_parameters':
      return { message: 'the parameters', result: JSON.stringify(some(parameters).list()) };
  }
}

function some(parameters: MonitoredParameters | undefined): MonitoredParameters {
  if (parameters !== undefined) return parameters;
  throw new HoldfastError('REQUEST_UNSUPPORTED', 'this recorder takes no parameters while it runs');
}

/** The table of parameters says what each allows. */
const values = documentKind<string | number | boolean | readonly unknown[]>('value of a parameter', {
  type: ['string', 'number', 'boolean', 'array'],
});

function parsed(parameter: string, text: string): unknown {
  const value = values.parseIfValid(text);
  if (value !== undefined) return value;
  throw new HoldfastError('REQUEST_INVALID', `the value of ${parameter} is not JSON of one value or a list`);
}
