import { askRole } from '../control/control-client.js';
import { parseArguments } from '../../recorder/control-arguments.js';
import type { RecorderControl } from '../../recorder/recorder-control.js';
import { describeTags, parseTagLines } from '../../core/tags.js';
import { markEventType, type MarkEventRequestFields } from './mark-event-type.js';
import { setTagsType, type SetTagsRequestFields } from './set-tags-type.js';
import { reasonOf } from './node-services.js';
import type { RunningNode } from './node-process.js';

/** The recorder's services. Each answers when the work is done, or with the reason why it is refused. */
export function serveRecorder(node: RunningNode, recorder: RecorderControl, dataRoot: string): void {
  const { services, session } = node;
  services.trigger('~/start', async () => {
    if (recorder.phase === 'unconfigured') await recorder.configure();
    await recorder.activate();
    return 'recording';
  });
  services.trigger('~/stop', async () => {
    await recorder.deactivate();
    const { sealed } = recorder.status();
    return `stopped: all received messages are durable and sealed (${sealed.segments} segments on the robot)`;
  });
  services.trigger('~/pause', () => {
    recorder.pause();
    return 'paused: messages are counted as gaps until ~/resume';
  });
  services.trigger('~/resume', () => {
    recorder.resume();
    return 'recording';
  });
  services.trigger('~/split', async () => {
    await recorder.split();
    return 'the segment ended, the next one is open';
  });
  services.trigger('~/sync_now', async () => {
    await askRole(dataRoot, 'sync', 'sync_now');
    return 'sync is looking for sealed segments and trying the store now';
  });
  services.serve(
    markEventType(session.rcl),
    '~/mark_event',
    async (request: MarkEventRequestFields) => {
      const { label, before_s, after_s } = parseArguments('mark_event', {
        label: request.label,
        before_s: request.seconds_before,
        after_s: request.seconds_after,
      });
      const event = await recorder.markEvent({ label, beforeS: before_s, afterS: after_s });
      return { id: event.id, success: true, message: `marked: ${event.label}` };
    },
    (error) => ({ id: '', success: false, message: reasonOf(error) }),
  );
  serveTags(node, recorder);
}

function serveTags({ services, session }: RunningNode, recorder: RecorderControl): void {
  services.serve(
    setTagsType(session.rcl),
    '~/set_tags',
    async (request: SetTagsRequestFields) => {
      const { tags } = parseArguments('set_tags', { tags: parseTagLines(request.tags) });
      const now = await recorder.setTags(tags);
      const lines = Object.entries(now).map(([name, value]) => `${name}=${value}`);
      return {
        tags: lines.join('\n'),
        success: true,
        message: `the tags are: ${describeTags(now) || 'none'}`,
      };
    },
    (error) => ({ tags: '', success: false, message: reasonOf(error) }),
  );
}
