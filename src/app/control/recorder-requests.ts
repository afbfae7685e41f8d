import type { RecorderControl } from '../../recorder/recorder-control.js';
import type { ControlHandlers } from '../../recorder/control-protocol.js';

/** The requests that a recorder answers on its control socket. */
export function recorderRequests(recorder: RecorderControl): ControlHandlers {
  return {
    status: () => recorder.status(),
    topics: ({ offset, limit }) => {
      const topics = recorder.topics();
      return { total: topics.length, topics: topics.slice(offset, offset + limit) };
    },
    start: async () => {
      if (recorder.phase === 'unconfigured') await recorder.configure();
      await recorder.activate();
    },
    stop: () => recorder.deactivate(),
    split: () => recorder.split(),
    pause: () => recorder.pause(),
    resume: () => recorder.resume(),
    set_tags: async ({ tags }) => ({ tags: await recorder.setTags(tags) }),
    mark_event: ({ label, before_s: beforeS, after_s: afterS }) =>
      recorder.markEvent({ label, beforeS, afterS }),
  };
}
