import assert from 'node:assert/strict';
import { useOf } from '../../bench/ros/cpu-split.js';

describe('The split of the processor time of a recorder', () => {
  const cases = {
    kernel: [
      'ffff copy_user_enhanced ([kernel.kallsyms])',
      '1 rmw_take (/opt/ros/lib/librmw_fastrtps_cpp.so)',
    ],
    'garbage collection': [
      '1 memset (/usr/lib/libc.so.6)',
      '2 v8::internal::Scavenger::Process (/usr/bin/node)',
    ],
    sums: ['1 crc32_z (/usr/lib/libz.so.1)', '2 Builtins_CallApiCallback (/usr/bin/node)'],
    take: ['1 memcpy (/usr/lib/libc.so.6)', '2 rcl_take_serialized_message (/opt/ros/lib/librcl.so)'],
    wait: ['1 realloc (/usr/lib/libc.so.6)', '2 rmw_wait (/opt/ros/lib/librmw_fastrtps_cpp.so)'],
    middleware: ['1 deserialize (/opt/ros/lib/libfastrtps.so.2.14)'],
    JavaScript: ['7fbee1fc860b [unknown] ([unknown])'],
    other: ['1 uv__io_poll (/usr/bin/node)'],
  } as const;
  for (const [use, stack] of Object.entries(cases)) {
    it(`calls a sample ${use}`, () => assert.equal(useOf(stack), use));
  }
});
